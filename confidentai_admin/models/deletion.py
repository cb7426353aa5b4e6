"""What deletions and removals answer."""

from __future__ import annotations

import attrs


@attrs.frozen
class DeletionResult:
    """Something was deleted.

    Attributes:
        id: The id of what was deleted.
        deleted: ``True``.
    """

    id: int | str
    deleted: bool


@attrs.frozen
class RemovalResult:
    """A member was removed.

    Attributes:
        id: The user's id.
        removed: ``True``.
    """

    id: str
    removed: bool
