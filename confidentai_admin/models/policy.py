"""Policies: named sets of permissions."""

from __future__ import annotations

import attrs

from .named_ref import NamedRef


@attrs.frozen
class Policy:
    """A named set of permissions, made by the organization or in a project.

    Attributes:
        id: Its id.
        name: Its name, unique in its scope.
        description: Its description, or ``None``.
        permissions: The permissions in it; ``None`` if the answer does not say, which is not the same as empty.
    """

    id: str
    name: str
    description: str | None = None
    permissions: list[NamedRef] | None = None
