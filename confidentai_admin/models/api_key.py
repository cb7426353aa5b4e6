"""API keys, of the organization and of projects."""

from __future__ import annotations

import datetime

import attrs

from .number_id import NumberId

_SHOWN = 6  # characters at the end of a key, as in the API's own masking


def _masked(value: str) -> str:
    # A short value would be shown whole, or nearly.
    shown = value[-_SHOWN:] if len(value) > 2 * _SHOWN else ""
    return f"'{'*' * 15}{shown}'"


def _masked_if_there(value: str | None) -> str:
    return repr(None) if value is None else _masked(value)


@attrs.frozen
class ApiKey:
    """An API key.

    Attributes:
        id: Its id, a number.
        name: Its name, or ``None``. Names need not be unique.
        valid: ``False`` if it is deactivated.
        value: The key itself in the answer that creates it, and only there; elsewhere asterisks and the last 6
            characters. The ``repr`` never shows more than these.
        created_at: When it was made, an aware time.
        last_used: When it last authenticated a request, an aware time; ``None`` if it never did.
        expires_at: When it ends, an aware time; ``None`` if it never does, or the API's version knows no end of keys. A
            key that has ended may still be ``valid``.
        shadow_value: The value that takes the place of ``value`` when ``rotates_at`` comes, masked as ``value`` is;
            ``None`` if there is none.
        rotates_at: Until when both values are taken, an aware time; ``None`` if the key is not being replaced.
    """

    id: NumberId
    name: str | None = attrs.field(default=None, kw_only=True)
    valid: bool
    value: str = attrs.field(repr=_masked)
    created_at: datetime.datetime
    last_used: datetime.datetime | None = None
    expires_at: datetime.datetime | None = attrs.field(default=None, kw_only=True)
    shadow_value: str | None = attrs.field(default=None, kw_only=True, repr=_masked_if_there)
    rotates_at: datetime.datetime | None = attrs.field(default=None, kw_only=True)


@attrs.frozen
class RotatedKey:
    """A key of a project that was replaced by a new one.

    Attributes:
        project_id: The id of the project.
        old_key: The key that is replaced, its value masked.
        new_key: The key in its place. ``new_key.value`` is in full here and never again.
        unfinished: The ids of the other valid keys of the same name, which an earlier rotation seems to have left, by a
            crash.
        cleaned_up: The ids of keys that a crash had left, and that were deleted now, as ``clean_up`` asks for.
        duplicate_key_ids: The ids of other valid keys in the place of the same old one, which another program made
            meanwhile. That program has them: agree on one before you retire the other. What ``store`` is given has
            none: they are looked for afterwards.
        orphaned_key_ids: The ids of keys whose secrets were in answers that were lost, and that could not be deleted.
            They are valid, and nobody has them: delete them.
        may_have_orphaned_key: Whether there may be one more such key, whose id is not known: an answer was lost, and
            nothing was seen of what was asked for, up to the last look, when ``store`` has come back. The server may
            still make it. It has the name of a new key, and the next rotation tells of it.
    """

    project_id: str
    old_key: ApiKey
    new_key: ApiKey
    unfinished: list[int]
    cleaned_up: list[int] = attrs.field(factory=list, kw_only=True)
    duplicate_key_ids: list[int] = attrs.field(factory=list, kw_only=True)
    orphaned_key_ids: list[int] = attrs.field(factory=list, kw_only=True)
    may_have_orphaned_key: bool = attrs.field(default=False, kw_only=True)

    @property
    def new_keys(self) -> list[ApiKey]:
        """The new key, as a list."""
        return [self.new_key]
