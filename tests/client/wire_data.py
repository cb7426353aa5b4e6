"""Data as the API sends it, for answers of which a test asks no more than that they are good."""

from __future__ import annotations

ORGANIZATION = {"organization": {"id": "o", "name": "n", "plan": "TEAM", "created_at": "2026-01-01T00:00:00.000Z"}}
