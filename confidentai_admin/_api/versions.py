"""The versions of the API that are spoken."""

from __future__ import annotations

from .v1 import V1
from .v2 import V2

#: Each by its name.
VERSIONS = {version.name: version for version in (V1, V2)}
