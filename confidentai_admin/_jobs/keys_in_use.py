"""Which of a project's keys of one name is in use, and what an earlier rotation has left beside it. No I/O."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

import attrs

from ..errors import UnexpectedStateError
from ..models import ApiKey
from .key_names import age, base_of, is_called, is_rotated, refuse_alike
from .own_key import is_later
from .server_time import time_since


@attrs.frozen
class KeysInUse:
    """The valid keys of one name.

    Attributes:
        name: The name, without what rotations put behind it.
        in_use: The key that is to be replaced.
        others: The other ones, the oldest first.
        is_told: Whether somebody said which is in use. Otherwise it is taken to be the oldest.
    """

    name: str
    in_use: ApiKey
    others: list[ApiKey]
    is_told: bool

    @classmethod
    def among(cls, known: Iterable[ApiKey], name: str, in_use: int | None) -> KeysInUse:
        """Find them in a listing; ``in_use`` is the id of the one in use, if somebody said so.

        Raises:
            UnexpectedStateError: There is none, or the one in use cannot be it.
        """
        known = list(known)
        valid = sorted((key for key in known if key.valid and is_called(key, name)), key=age)
        if in_use is None:
            if not valid:
                refuse_alike(name, known)
                raise UnexpectedStateError(f"the project has no valid key {name!r}")
            return cls(name, valid[0], valid[1:], is_told=False)
        found = next((key for key in known if key.id == in_use), None)
        if found is None or found not in valid:
            why = "is deactivated"
            if found is None:
                why = "is not listed"
            elif found.valid:
                if not valid:
                    refuse_alike(name, [found])
                why = f"has another name, {found.name!r}"
            there = ", ".join(str(key.id) for key in valid) or "none"
            raise UnexpectedStateError(
                f"API key {in_use}, which is said to be in use as {name!r}, {why}: nothing was changed. The valid keys"
                f" of this name: {there}"
            )
        return cls(name, found, [key for key in valid if key.id != in_use], is_told=True)

    def left(self, *, is_kept: bool) -> list[ApiKey]:
        """The others that only a crash can have left; with ``is_kept``, rotations leave older ones on purpose."""
        return [
            key
            for key in self.others
            if key.last_used is None
            and is_rotated(key.name)
            and base_of(key.name) == self.name
            and (is_later(key, self.in_use) or not is_kept)
        ]

    def latest(self, *, is_kept: bool) -> ApiKey:
        """The key that tells when the last rotation was."""
        # With is_kept, two valid keys are what a rotation leaves. Otherwise, they are what one leaves that failed.
        return self.others[-1] if is_kept and self.others and not self.is_told else self.in_use

    def told(self, deleted: Iterable[ApiKey], *, is_kept: bool) -> list[str]:
        """What there is to say of the others."""
        gone, left = list(deleted), self.left(is_kept=is_kept)
        return [
            f"API key {key.id} was deleted: an earlier rotation had left it, and it was never used"
            if key in gone
            else f"an earlier rotation seems to have left API key {key.id}, which was never used"
            if key in left
            else f"another valid key of this name is {key.id}"
            for key in self.others
        ]


def is_younger(key: ApiKey, span: datetime.timedelta | None, now: datetime.datetime) -> bool:
    """Whether a key was made less than ``span`` ago; for ``None``, no key was."""
    return span is not None and time_since(key.created_at, now) < span
