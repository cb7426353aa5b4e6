"""Replacing an API key by a new one."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from .._jobs.rotation import Rotation
from ..models import ApiKey


class AsyncKeyRotation:
    """The replacement of an API key by a new one, as ``api_keys.rotate`` gives it.

    The new key is made at the beginning of the block, and is in ``new_key`` before anything else is asked of the
    server. At the end of the block it must be there and valid, and one of the organization must have made a call;
    only then is the old one retired. If the client itself uses the old key, the client and its views use the new one
    from then on.

    If the block is left by an exception, both keys stay valid, since somebody may have the new one by now, and a note
    on the exception says so. ``retire()`` then finishes the rotation, and ``discard()`` takes it back. If the end of
    the block fails, the same holds: a note on the error says how far it came.
    """

    def __init__(self, rotation: Rotation) -> None:
        self._rotation = rotation

    @property
    def new_key(self) -> ApiKey:
        """The new key. ``new_key.value`` is in full here and never again: store it in the block.

        Raises:
            ConfigurationError: The block was not entered yet.
        """
        return self._rotation.new_key

    @property
    def old_key(self) -> ApiKey:
        """The key that is replaced, as it was at the beginning, its ``value`` masked.

        Raises:
            ConfigurationError: The block was not entered yet.
        """
        return self._rotation.old_key

    @property
    def unfinished(self) -> list[int]:
        """The ids of valid keys that an earlier rotation of the same key seems to have left, by a crash.

        They have the name of a new key. One that a rotation with ``retire="keep"`` left on purpose looks the same, and
        so does that of a rotation that is under way elsewhere. They are left alone: delete those that you know nobody
        to have.

        Raises:
            ConfigurationError: The block was not entered yet.
        """
        return self._rotation.unfinished

    @property
    def duplicate_key_ids(self) -> list[int]:
        """The ids of other valid keys in the place of the same old one, which another program made meanwhile.

        They are looked for when the old key is to be retired, which that program does as well. It has its key: agree
        on one before you retire the other.

        Raises:
            ConfigurationError: The block was not entered yet.
        """
        return self._rotation.duplicate_key_ids

    @property
    def orphaned_key_ids(self) -> list[int]:
        """The ids of keys whose secrets were in answers that were lost, and that could not be deleted.

        They are valid, and nobody has them: delete them. What can be deleted is, as soon as it is seen: when the new
        key is made, or when the old one is to be retired.

        Raises:
            ConfigurationError: The block was not entered yet.
        """
        return self._rotation.orphaned_key_ids

    @property
    def may_have_orphaned_key(self) -> bool:
        """Whether there may be one more such key, whose id is not known.

        An answer was lost, and nothing was seen of what was asked for, so far: it is looked for again when the old key
        is to be retired. After that, the server may still make it. It has the name of a new key, and the next
        rotation has it in ``unfinished``.

        Raises:
            ConfigurationError: The block was not entered yet.
        """
        return self._rotation.may_have_orphaned_key

    async def __aenter__(self) -> Self:
        await self._rotation.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._rotation.__aexit__(kind, error, traceback)

    async def retire(self, *, delete: bool = False) -> None:
        """Retire the old key now: after ``retire="keep"``, after a failure, or in the block, whose end then does not.

        It is checked first that the new key works, as at the end of the block. Retiring twice is fine.

        Args:
            delete: Whether to delete the old key, for good. Otherwise it is deactivated.

        Raises:
            ConfigurationError: The block was not entered yet, or the new key was discarded.
            UnexpectedStateError: The new key is gone, deactivated or refused. Nothing was changed.
        """
        await self._rotation.retire(delete=delete)

    async def discard(self) -> None:
        """Delete the new key, if you know that nobody has it. The old one must be valid, and stays as it is.

        If the client has moved to the new key, it moves back first. Discarding twice is fine.

        Raises:
            ConfigurationError: The block was not entered yet, or the old key was retired.
            UnexpectedStateError: The old key is gone, deactivated or refused, so that there would be none. Nothing was
                changed.
        """
        await self._rotation.discard()
