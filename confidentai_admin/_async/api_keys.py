"""API keys, of the organization and of a project."""

from __future__ import annotations

import builtins
import datetime
from typing import Literal

from .._api.calls import Scope
from .._arguments import number_id, text, truth, whole_number
from .._http.transport import Transport
from .._jobs.own_key import KeyCalls, check_retire, check_span, is_later
from .._jobs.rotation import Rotation
from .._jobs.server_time import time_of, time_since
from .._reporting import record_calls
from ..errors import UnexpectedStateError
from ..models import ApiKey, DeletionResult
from .key_rotation import AsyncKeyRotation


class AsyncApiKeys:
    """The API keys of the organization or of a project."""

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self._calls = KeyCalls(transport, scope)

    async def list(self) -> builtins.list[ApiKey]:
        """List the API keys.

        Endpoint: ``GET /v1/organization/api-keys`` or ``GET /v1/projects/{projectId}/api-keys``.

        Returns:
            The keys. ``value`` is masked but for its last 6 characters.
        """
        return await self._calls.all()

    async def get(self, api_key_id: int | str) -> ApiKey:
        """Get an API key.

        Endpoint: ``GET /v1/organization/api-keys/{apiKeyId}`` or ``GET /v1/projects/{projectId}/api-keys/{apiKeyId}``.

        Args:
            api_key_id: The id of the key, a number, or the same as a text.

        Returns:
            The key. ``value`` is masked but for its last 6 characters.

        Raises:
            NotFoundError: There is no such key.
        """
        return await self._calls.get(api_key_id)

    async def create(self, name: str) -> ApiKey:
        """Create an API key.

        It is never sent twice: if an error says ``outcome_unknown``, there may be a key whose value nobody knows; find
        it with ``list()`` and delete it.

        Endpoint: ``POST /v1/organization/api-keys`` or ``POST /v1/projects/{projectId}/api-keys``.

        Args:
            name: A name, not empty. It need not be unique.

        Returns:
            The key. ``value`` is in full here and never again: store it now.

        Raises:
            BadRequestError: The name is empty.
        """
        return await self._calls.create(name)

    async def update(self, api_key_id: int | str, *, valid: bool, allow_self: bool = False) -> ApiKey:
        """Deactivate an API key, or activate it again.

        A client that deactivates the key that it uses is locked out. So an organization's key is read before it is
        deactivated, and refused if it is the client's own, as far as its last 6 characters tell: replace that one with
        ``rotate``.

        Endpoint: ``PUT /v1/organization/api-keys/{apiKeyId}`` or ``PUT /v1/projects/{projectId}/api-keys/{apiKeyId}``,
        after ``GET /v1/organization/api-keys/{apiKeyId}``.

        Args:
            api_key_id: The id of the key, a number, or the same as a text.
            valid: ``False`` to deactivate it, ``True`` to activate it.
            allow_self: ``True`` to deactivate a key of the organization without looking whether it is the client's own.
                For a project's key it makes no difference.

        Returns:
            The key as it is now, its ``value`` masked.

        Raises:
            NotFoundError: There is no such key.
            ConfigurationError: It is the key that the client uses. Nothing was changed.
        """
        return await self._calls.update(
            api_key_id, valid=truth("valid", valid), allow_self=truth("allow_self", allow_self)
        )

    async def delete(self, api_key_id: int | str, *, allow_self: bool = False) -> DeletionResult:
        """Delete an API key, at once and for good. What still uses it is refused from now on.

        An organization's key is read first, and refused if it is the one that the client uses, as far as its last 6
        characters tell: replace that one with ``rotate``.

        Endpoint: ``DELETE /v1/organization/api-keys/{apiKeyId}`` or
        ``DELETE /v1/projects/{projectId}/api-keys/{apiKeyId}``, after ``GET /v1/organization/api-keys/{apiKeyId}``.

        Args:
            api_key_id: The id of the key, a number, or the same as a text.
            allow_self: ``True`` to delete a key of the organization without looking whether it is the client's own. For
                a project's key it makes no difference.

        Returns:
            The id of the key that was deleted.

        Raises:
            NotFoundError: There is no such key.
            ConfigurationError: It is the key that the client uses. Nothing was changed.
        """
        return await self._calls.delete(api_key_id, allow_self=truth("allow_self", allow_self))

    def rotate(
        self,
        api_key_id: int | str,
        *,
        name: str | None = None,
        retire: Literal["disable", "delete", "keep"] = "disable",
    ) -> AsyncKeyRotation:
        """Replace an API key: a new one exists inside the block, and the old one is retired if the block succeeded.

        Makes no request itself. At the beginning of the block the old key is read and the new one is made, with a name
        of its own: the old name, the date and six random digits, in which those of an earlier rotation are replaced. At
        the end, the new key must be there and valid, and one of the organization must have made a call, before the
        old one is retired. If the client itself uses the old key, the client and its views use the new one from then
        on. If the block fails, both keys stay valid, and a note on the exception says so.

        If the answer that has the new key is lost, the key is looked for by its name, for up to 5 seconds, and deleted,
        since nobody has it, and another one is made. One that comes later is deleted at the end of the block, or else
        told by ``may_have_orphaned_key``. At no time is there no valid key that you have.

        Example::

            async with project.api_keys.rotate(7) as rotation:
                await vault.write("tenant-42", rotation.new_key.value)

        Endpoints: ``GET /v1/organization/api-keys``, ``GET /v1/organization/api-keys/{apiKeyId}``,
        ``POST /v1/organization/api-keys``, ``GET /v1/organization``, ``PUT /v1/organization/api-keys/{apiKeyId}`` and
        ``DELETE /v1/organization/api-keys/{apiKeyId}``, or ``GET /v1/projects/{projectId}/api-keys``,
        ``GET /v1/projects/{projectId}/api-keys/{apiKeyId}``, ``POST /v1/projects/{projectId}/api-keys``,
        ``PUT /v1/projects/{projectId}/api-keys/{apiKeyId}`` and
        ``DELETE /v1/projects/{projectId}/api-keys/{apiKeyId}``.

        Args:
            api_key_id: The id of the key to replace, a number, or the same as a text.
            name: What the new key's name begins with. Default: what the old key's name begins with.
            retire: What becomes of the old key at the end of the block: ``disable`` deactivates it, ``delete`` deletes
                it for good, ``keep`` leaves it valid for a time of grace. Then ``rotation.retire()`` finishes, or
                ``api_keys.retire`` in a later run.

        Returns:
            The rotation, for ``async with``; its ``new_key`` is the new key.

        Raises:
            TypeError: An argument is of another type.
            ValueError: The name is empty, or ``retire`` is another word.
            ConfigurationError: The client is read-only. Raised at the beginning of the block, as is the next.
            NotFoundError: There is no such key.
            UnexpectedStateError: The old key is deactivated. Raised at the beginning of the block; no key was made.
                Or the new key is gone, deactivated or refused. Raised at the end; both keys are left as they are.
        """
        api_key_id = whole_number("api_key_id", number_id(api_key_id))
        if name is not None:
            name = text("name", name)
        check_retire(retire)
        return AsyncKeyRotation(Rotation(self._calls.for_job(), api_key_id, name, retire))

    async def retire(
        self,
        api_key_id: int | str,
        *,
        unused_for: datetime.timedelta,
        delete: bool = False,
        force: bool = False,
        allow_self: bool = False,
    ) -> ApiKey | DeletionResult:
        """Retire an API key that nobody uses any more, such as one that ``rotate`` left with ``retire="keep"``.

        Endpoints: ``GET /v1/organization/api-keys``, ``GET /v1/organization/api-keys/{apiKeyId}``,
        ``PUT /v1/organization/api-keys/{apiKeyId}`` and ``DELETE /v1/organization/api-keys/{apiKeyId}``, or
        ``GET /v1/projects/{projectId}/api-keys``, ``GET /v1/projects/{projectId}/api-keys/{apiKeyId}``,
        ``PUT /v1/projects/{projectId}/api-keys/{apiKeyId}`` and
        ``DELETE /v1/projects/{projectId}/api-keys/{apiKeyId}``.

        Args:
            api_key_id: The id of the key, a number, or the same as a text.
            unused_for: How long it must not have been used, by the server's clock. A key that was never used is unused
                for any time.
            delete: Whether to delete it, for good. Otherwise it is deactivated.
            force: Retire it even if it was used since, or no valid key of the same scope is younger.
            allow_self: Retire it even if it is the key that the client uses, as far as its last 6 characters tell. For
                a project's key it makes no difference.

        Returns:
            The key as it is now, its ``value`` masked; with ``delete``, the id of the key that was deleted.

        Raises:
            TypeError: An argument is of another type.
            ValueError: ``unused_for`` is negative.
            NotFoundError: There is no such key.
            UnexpectedStateError: It was used since, or there is no younger valid key. Nothing was changed.
            ConfigurationError: It is the key that the client uses. Nothing was changed.
        """
        api_key_id = whole_number("api_key_id", number_id(api_key_id))
        check_span("unused_for", unused_for)
        truth("delete", delete)
        truth("force", force)
        truth("allow_self", allow_self)
        self._calls.transport.refuse_job("retire")
        with record_calls() as calls:
            known = await self._calls.all()
        key = await self._calls.one_of(known, api_key_id)
        if not allow_self:
            self._calls.refuse_own(key, "retire")
        if not force:
            now = time_of(calls[-1], self._calls.transport.clock)
            if key.last_used is not None and time_since(key.last_used, now) < unused_for:
                raise UnexpectedStateError(
                    f"API key {key.id} was last used at {key.last_used.isoformat(timespec='seconds')}, less than"
                    f" {unused_for} ago: somebody may still use it. Wait, or pass force=True"
                )
            if not any(other.valid and is_later(other, key) for other in known):
                raise UnexpectedStateError(
                    f"there is no valid API key that is younger than {key.id}, so that there may be none to take its"
                    " place. Pass force=True if there need not be"
                )
        if delete:
            return await self._calls.delete(key.id)
        return await self._calls.update(key.id, valid=False)


class AsyncOrganizationApiKeys(AsyncApiKeys):
    """The API keys of the organization."""


class AsyncProjectApiKeys(AsyncApiKeys):
    """The API keys of a project."""
