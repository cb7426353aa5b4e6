"""Permissions."""

from __future__ import annotations

import attrs


@attrs.frozen
class Permission:
    """One thing that a policy can allow.

    Attributes:
        id: Its id. It may differ from project to project: look it up by name.
        name: ``resource:action``, such as ``prompt:read``.
        description: What it allows, or ``None``.
    """

    id: str
    name: str
    description: str | None = None
