"""The calls about API keys that both the methods and the jobs are made of, and which key is the client's own."""

from __future__ import annotations

import builtins
import datetime
from typing import Any

import attrs

from .._api.answers import is_gone
from .._api.calls import Call, Scope
from .._http.transport import Transport
from .._operations import api_keys
from .._operations.organization import get_organization
from ..errors import AuthenticationError, ConfigurationError, NotFoundError, UnexpectedStateError
from ..models import ApiKey, DeletionResult
from .key_names import age
from .repeated_look import look_until

_SHOWN = 6  # characters at the end of a key that the API shows


def _end_of(value: str) -> str | None:
    """The characters at the end of a key that the API does not mask, or ``None`` if they cannot be told."""
    end = value[-_SHOWN:]
    return end if len(end) == _SHOWN and end.isascii() and "*" not in end else None


def is_same(one: str, other: str) -> bool | None:
    """Whether two keys, masked or not, are the same as far as their ends tell; ``None`` is "who knows"."""
    ends = _end_of(one), _end_of(other)
    return None if None in ends else ends[0] == ends[1]


def check_retire(retire: object) -> None:
    """Raise a ``ValueError`` if it is no word for what becomes of an old key."""
    if retire not in ("disable", "delete", "keep"):
        raise ValueError("retire must be 'disable', 'delete' or 'keep'")


def check_span(name: str, span: object) -> None:
    """Raise a ``TypeError`` or ``ValueError`` if it is no length of time."""
    if not isinstance(span, datetime.timedelta):
        raise TypeError(f"{name} must be a datetime.timedelta, not {type(span).__name__}")
    if span < datetime.timedelta(0):
        raise ValueError(f"{name} is negative")


def is_later(one: ApiKey, other: ApiKey) -> bool:
    """Whether a key was made after another one."""
    return age(one) > age(other)


@attrs.frozen
class KeyCalls:
    """The calls about the API keys of the organization or of a project.

    Attributes:
        transport: What sends them.
        scope: Whose keys they are.
    """

    transport: Transport
    scope: Scope

    @property
    def is_of_organization(self) -> bool:
        """Whether these are keys of the organization, of which the client uses one."""
        return self.scope.is_organization

    @property
    def place(self) -> str:
        """Where these keys are, in words: the organization, or the project of an id."""
        return "the organization" if self.is_of_organization else f"the project {self.scope.project_id!r}"

    def for_job(self) -> KeyCalls:
        """The same calls, as those of one job."""
        return attrs.evolve(self, transport=self.transport.for_job())

    def by_key(self, value: str) -> KeyCalls:
        """The same calls, made with another key than the client's."""
        return attrs.evolve(self, transport=self.transport.with_key(value))

    async def all(self) -> builtins.list[ApiKey]:
        """List the keys."""
        return await self.transport.send(api_keys.list_api_keys(self.scope))

    async def all_with(self, made: ApiKey, *, is_there: bool = False) -> builtins.list[ApiKey]:
        """List the keys, after one was made: again, as long as that one is missing.

        ``is_there`` says that the project was made as well, so that a 404 is no reason to stop.
        """
        return await look_until(
            self.transport, self.all, lambda listed: made.id in {key.id for key in listed}, is_there=is_there
        )

    async def get(self, api_key_id: int | str) -> ApiKey:
        """Get a key."""
        return await self.transport.send(api_keys.get_api_key(self.scope, api_key_id))

    async def one_of(self, known: builtins.list[ApiKey], api_key_id: int) -> ApiKey:
        """The key of an id: one that was listed, or else what the API says of it."""
        listed = [key for key in known if key.id == api_key_id]
        return listed[0] if listed else await self.get(api_key_id)

    async def create(self, name: str) -> ApiKey:
        """Create a key."""
        return await self.transport.send(api_keys.create_api_key(self.scope, name=name))

    async def update(self, api_key_id: int | str, *, valid: bool, allow_self: bool = True) -> ApiKey:
        """Deactivate a key or activate it."""
        call = api_keys.update_api_key(self.scope, api_key_id, valid=valid)
        if not valid and not allow_self:
            await self._refuse_own(api_key_id, call)
        return await self.transport.send(call)

    async def delete(self, api_key_id: int | str, *, allow_self: bool = True) -> DeletionResult:
        """Delete a key."""
        call = api_keys.delete_api_key(self.scope, api_key_id)
        if not allow_self:
            await self._refuse_own(api_key_id, call)
        return await self.transport.send(call)

    # The client's own key:

    def is_own(self, api_key: ApiKey) -> bool:
        """Whether it is the key that the client uses now, as far as its end tells. In doubt, it is.

        While a key is being replaced in place it has two values, and the client may use either.
        """
        values = [value for value in (api_key.value, api_key.shadow_value) if value is not None]
        return self.is_of_organization and any(
            is_same(value, self.transport.settings.api_key) is not False for value in values
        )

    def refuse_own(self, api_key: ApiKey, operation: str) -> None:
        """Raise a ``ConfigurationError`` if it is the key that the client uses."""
        if not self.is_own(api_key):
            return
        raise ConfigurationError(
            f"API key {api_key.id} is the one that this client uses, as far as its last {_SHOWN} characters tell:"
            f" without it, the client is locked out. Replace it with api_keys.rotate({api_key.id}), which moves the"
            " client over, or pass allow_self=True",
            operation=operation,
        )

    async def _refuse_own(self, api_key_id: int | str, call: Call[Any]) -> None:
        """Read a key that ``call`` is about, and raise an error if it is the one that the client uses."""
        if not self.is_of_organization:
            return
        self.transport.refuse(call)
        try:
            api_key = await self.get(api_key_id)
        except NotFoundError as error:
            if is_gone(error):
                return  # the call itself will say so
            raise  # a gateway's tells nothing of the key
        self.refuse_own(api_key, call.operation)

    # What is believed only when it is seen:

    async def check_new_key(self, new: ApiKey, *, old: ApiKey) -> builtins.list[ApiKey]:
        """See that the key ``new`` can take the place of ``old``; give all keys that there are by now.

        Raises:
            UnexpectedStateError: It is gone, deactivated, refused, or another one.
        """
        by_new = self.by_key(new.value)
        if self.is_of_organization:
            await by_new._prove(new)
        # Another client may have retired the key that this one uses, if that is the old one.
        reader = by_new if self.is_own(old) else self
        return await reader._see(new, await reader.all_with(new))

    async def check_kept_key(self, old: ApiKey, *, value: str | None) -> builtins.list[ApiKey]:
        """See that there is the key ``old`` without another one; give all keys that there are by now.

        ``value`` is given if the client is to use it again.

        Raises:
            UnexpectedStateError: It is gone, deactivated, refused, or another one.
        """
        reader = self
        if value is not None:
            reader = self.by_key(value)
            await reader._prove(old)
        return await reader._see(old, await reader.all())

    async def _prove(self, api_key: ApiKey) -> None:
        """Make a call that every organization key may make."""
        try:
            await self.transport.send(get_organization())
        except AuthenticationError as error:
            raise UnexpectedStateError(f"API key {api_key.id} is refused") from error

    async def _see(self, api_key: ApiKey, listed: builtins.list[ApiKey]) -> builtins.list[ApiKey]:
        """See that a key is as it was, in a listing that was just read; give that."""
        try:
            seen = await self.one_of(listed, api_key.id)
        except NotFoundError as error:
            if not is_gone(error):
                raise
            raise UnexpectedStateError(f"API key {api_key.id} is gone") from error
        if not seen.valid:
            raise UnexpectedStateError(f"API key {api_key.id} is deactivated")
        if not is_same(seen.value, api_key.value):
            raise UnexpectedStateError(f"API key {api_key.id} does not end as it did: it is another one")
        return listed

    async def retire(self, old: ApiKey, *, delete: bool, witness: ApiKey) -> None:
        """Deactivate or delete a key; one that is gone is retired. A list without ``witness`` proves nothing."""
        try:
            if delete:
                await self.delete(old.id)
            else:
                await self.update(old.id, valid=False)
        except NotFoundError as error:

            def agrees(listed: builtins.list[ApiKey]) -> bool:
                ids = {api_key.id for api_key in listed}
                return old.id not in ids and witness.id in ids

            # What a gateway says does not contradict the listing.
            listed = await look_until(self.transport, self.all, agrees) if is_gone(error) else await self.all()
            if not agrees(listed):
                raise
