"""Replacing an API key by a new one."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from .._arguments import truth
from .._reporting import CallDetails, record_calls
from .._secrets import SecretText
from ..errors import ConfidentAIError, ConfigurationError, UnexpectedStateError
from ..models import ApiKey
from .cancellation import warn_of_keys
from .creation import Attempts, create_and_look
from .key_names import base_of, is_rotated, new_name
from .matching import name_key
from .own_key import KeyCalls
from .repeated_look import look_until
from .server_time import Asked


def told_of_orphans(ids: Iterable[int], names: Iterable[str], place: str) -> list[str]:
    """What there is to say of the keys that lost answers have left, and of those that they may have left."""
    return [
        *(f"nobody has API key {key_id}, whose secret was in an answer that was lost: delete it" for key_id in ids),
        *(f"there may be a new API key {name!r} now, in {place}, which nobody has: delete it" for name in names),
    ]


def told_of_duplicates(ids: Iterable[int]) -> list[str]:
    """What there is to say of the keys that another program has put in an old one's place as well."""
    return [f"another program put API key {api_key_id} in its place as well" for api_key_id in ids]


class Rotation:
    """The replacement of an API key by a new one, as ``AsyncKeyRotation`` describes it."""

    def __init__(
        self,
        calls: KeyCalls,
        api_key_id: int,
        name: str | None,
        retire: str,
        known: list[ApiKey] | None = None,
    ) -> None:
        self._calls = calls
        # The keys that there are, if they have just been read: then this is part of a job, which tells of all its keys.
        self._known = known
        self._api_key_id = api_key_id
        self._name = name
        self._retire = retire
        self._is_entered = False
        self._old: ApiKey | None = None
        self._new: ApiKey | None = None
        self._before: set[int] = set()  # the ids of the keys that there were
        self.attempts = Attempts()
        self._names: list[str] = []  # those that new keys were asked for by: what has one of them is ours
        self.left: dict[int, str | None] = {}  # the names of the keys that lost answers left, as far as they were seen
        self._orphaned: list[int] = []  # the ids of those of these that could not be deleted
        self._unfinished: list[int] = []
        self._duplicates: list[int] = []
        self._key_before: SecretText | None = None  # the client's, where it uses the new one
        self._is_retired = False
        self._is_deleted = False
        self._both = ""  # what is known of the two keys, for a note
        self._is_given_up = False
        self._is_discarded = False
        self._has_warned = known is not None

    @property
    def new_key(self) -> ApiKey:
        """The new key, its value in full."""
        return self._entered(self._new)

    @property
    def old_key(self) -> ApiKey:
        """The key that is replaced."""
        return self._entered(self._old)

    @property
    def unfinished(self) -> list[int]:
        """The ids of keys that an earlier rotation seems to have left."""
        self._entered(self._new)
        return list(self._unfinished)

    @property
    def duplicate_key_ids(self) -> list[int]:
        """The ids of keys that another program has put in the place of the same old one."""
        self._entered(self._new)
        return list(self._duplicates)

    @property
    def orphaned_key_ids(self) -> list[int]:
        """The ids of keys whose secrets were in answers that were lost, and that could not be deleted."""
        self._entered(self._new)
        return list(self._orphaned)

    @property
    def may_have_orphaned_key(self) -> bool:
        """Whether there may be a key whose secret was in an answer that was lost, and that was never seen."""
        self._entered(self._new)
        return self.attempts.is_open

    async def __aenter__(self) -> Self:
        if self._is_entered:
            raise ConfigurationError("a rotation is entered once: call api_keys.rotate again")
        self._calls.transport.refuse_job("rotate")
        self._is_entered = True
        known = await self._calls.all() if self._known is None else self._known
        old = self._old = await self._calls.one_of(known, self._api_key_id)
        if not old.valid:
            raise UnexpectedStateError(
                f"API key {old.id} is deactivated, so that nobody uses what would be replaced: make a new one, or"
                " activate it first"
            )
        base = self._base(old)
        self._unfinished = [key.id for key in known if key.id != old.id and self._is_in_place_of(old, key)]
        # The last call, so that nothing can go wrong between the only answer with the secret and the caller.
        self._before = {key.id for key in known}
        try:
            self._new = await self._mint(base)
        except BaseException as error:
            self._warn(error)
            raise
        self._both = f"Both API keys stay valid, the new one, {self._new.id}, and the old one, {old.id}."
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_retired or self._is_given_up:
            return
        if error is not None:
            self._note(error, self._both)
        elif self._retire == "keep":
            await self._take_over()
        else:
            await self.retire(delete=self._retire == "delete")

    async def retire(self, *, delete: bool = False) -> None:
        """Retire the old key now."""
        truth("delete", delete)
        old, new = self.old_key, self.new_key
        if self._is_discarded:
            raise ConfigurationError(f"the new API key {new.id} was discarded: the old one, {old.id}, stays")
        if self._is_deleted or (self._is_retired and not delete):
            return
        await self._take_over()
        calls: list[CallDetails] = []
        try:
            with record_calls() as calls:
                await self._calls.retire(old, delete=delete, witness=new)
        except BaseException as error:
            is_sent = any(call.outcome_unknown for call in calls)
            became = "may have been retired or not" if is_sent else "was left as it is"
            self._both = f"The new API key, {new.id}, works; the old one, {old.id}, {became}."
            self._note(error, self._both)
            raise
        self._is_retired = True
        self._is_deleted = delete

    async def discard(self) -> None:
        """Delete the new key."""
        old, new = self.old_key, self.new_key
        if self._is_retired:
            raise ConfigurationError(f"the old API key {old.id} was retired: without the new one, there is none")
        if self._is_discarded:
            return
        listed = await self._calls.check_kept_key(old, value=self._key_before)
        self._is_given_up = True  # whether or not it can be deleted, the old one is not retired at the block's end
        self._move_back()
        await self._calls.retire(new, delete=True, witness=old)
        self._is_discarded = True
        await self.delete_left(listed, witness=old)

    def _entered(self, api_key: ApiKey | None) -> ApiKey:
        if self._new is None or api_key is None:
            raise ConfigurationError("there is no new API key yet: it is made at the beginning of the `with` block")
        return api_key

    # The new key's name:

    def _base(self, old: ApiKey) -> str:
        return base_of(old.name if self._name is None else self._name) or "key"

    def _is_in_place_of(self, old: ApiKey, key: ApiKey) -> bool:
        """Whether a rotation seems to have made ``key`` in the place of ``old``, by the new name or the old one."""
        bases = (name_key(self._base(old)), name_key(base_of(old.name)))
        return key.valid and is_rotated(key.name) and name_key(base_of(key.name)) in bases

    # Making it:

    async def _mint(self, base: str) -> ApiKey:
        """Make the new key; once more, under another name, if the answer is lost and what it left was deleted."""
        clock = self._calls.transport.clock

        async def create() -> ApiKey:
            self._names.append(new_name(base, clock.now()))
            try:
                return await self._calls.create(self._names[-1])
            except Exception as error:
                if not getattr(error, "outcome_unknown", False):
                    self._names.pop()  # there is certainly none
                raise

        async def clear(lost: ConfidentAIError, asked: Asked) -> None:
            if self.attempts.is_open:
                await self._clear(lost)

        made = await create_and_look(create, clear, clock, self.attempts, in_doubt=self._note_lost)
        assert made is not None  # noqa: S101  (the look finds nothing that could be used)
        return made

    def _note_lost(self, error: BaseException) -> None:
        for line in told_of_orphans([], self._unseen_names(), self._calls.place):
            error.add_note(line)

    def _unseen_names(self) -> list[str]:
        """The names of keys that were asked for, and of which it is not known whether there are any."""
        seen = {*self.left.values(), None if self._new is None else self._new.name}
        return [name for name in self._names if name not in seen]

    def _left_in(self, listed: Iterable[ApiKey]) -> list[ApiKey]:
        """The keys that lost answers have left, and that were not seen before: their names are this rotation's own."""
        known = {*self._before, *self.left, *([] if self._new is None else [self._new.id])}
        return [key for key in listed if key.name in self._names and key.id not in known]

    def _see_left(self, listed: Iterable[ApiKey]) -> list[ApiKey]:
        found = self._left_in(listed)
        self.left |= {key.id: key.name for key in found}
        self.attempts.seen += len(found)
        return found

    async def _clear(self, lost: ConfidentAIError) -> None:
        """Delete the key that a lost answer left, since nobody has its secret. If that fails, ``lost`` says so."""
        found: list[int] | None = None
        try:
            listed = await look_until(
                self._calls.transport,
                self._calls.all,
                lambda listed: len(self._left_in(listed)) >= self.attempts.unseen,
            )
            found = [key.id for key in self._see_left(listed)]
            for api_key_id in found:
                await self._calls.delete(api_key_id)
        except BaseException as error:
            named = " or ".join(map(repr, self._names))
            note = f"There may be a new API key {named} now"
            if found is not None:
                note = f"There is a new API key {named} now, with the id {', '.join(map(str, found))}"
            note += (
                f", in {self._calls.place}, which nobody has: delete it. This failed to do so: {type(error).__name__}."
            )
            if not isinstance(error, Exception):
                error.add_note(note)
                raise
            lost.add_note(note)
            raise lost from error

    async def delete_left(self, listed: Iterable[ApiKey], *, witness: ApiKey) -> None:
        """Delete what a lost answer has left by now, by the last look. What cannot be deleted is told as orphaned."""
        for key in self._see_left(listed):
            self._orphaned.append(key.id)
            try:
                await self._calls.retire(key, delete=True, witness=witness)
            except ConfidentAIError:
                continue  # it is no reason to leave the old key as it is
            self._orphaned.remove(key.id)

    # Its taking over:

    async def _take_over(self) -> None:
        """See that the new key works, and have the client use it in the place of its own, if that is the old one."""
        transport = self._calls.transport
        try:
            listed = await self._calls.check_new_key(self.new_key, old=self.old_key)
            ours = {*self._before, self.new_key.id, *self.left, *(key.id for key in self._left_in(listed))}
            # Where somebody else has retired the old key, what they put in its place may have any name.
            is_replaced = not any(key.id == self.old_key.id and key.valid for key in listed)
            self._duplicates = [
                key.id
                for key in listed
                if key.id not in ours
                and (self._is_in_place_of(self.old_key, key) or (is_replaced and key.valid and is_rotated(key.name)))
            ]
            if self._calls.is_own(self.old_key):
                self._key_before = transport.settings.api_key
                transport.move_to_key(self.new_key.value)
            await self.delete_left(listed, witness=self.new_key)
        except BaseException as error:
            old, new = self.old_key.id, self.new_key.id
            self._note(error, f"The new API key, {new}, was kept, and the old one, {old}, was left as it is.")
            raise

    def told(self) -> list[str]:
        """What there is to say of the keys that lost answers have left, or may have left."""
        return told_of_orphans(self._orphaned, self._unseen_names(), self._calls.place)

    def _move_back(self) -> None:
        transport = self._calls.transport
        if self._key_before is not None and transport.settings.api_key == self.new_key.value:
            transport.move_to_key(self._key_before)

    def _note(self, error: BaseException, keys: str) -> None:
        """Say on an error which keys there are, and what can be done."""
        finish, undo = "finish with retire() of this rotation, or later with", "call discard()"
        if self._known is not None:  # the rotation is the job's own
            finish, undo = "finish with", f"call api_keys.delete({self.new_key.id})"
        note = (
            f"{keys} If the new one is in use, {finish} api_keys.retire({self.old_key.id}, unused_for=...). If nobody"
            f" has it, {undo}."
        )
        for line in (note, *told_of_duplicates(self._duplicates), *self.told()):
            # It may come by here twice, from retire() in the block.
            if line not in getattr(error, "__notes__", ()):
                error.add_note(line)
        self._warn(error)

    def _warn(self, error: BaseException) -> None:
        """Tell of the keys in the log, once, if this is a cancellation: it may be swallowed."""
        if not self._has_warned:
            self._has_warned = warn_of_keys(error, [(self._calls.place, [] if self._new is None else [self._new])])
