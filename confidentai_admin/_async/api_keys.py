"""API keys, of the organization and of a project."""

from __future__ import annotations

import builtins

from .._transport import Transport
from .._wire import Call, Effect, path_segment
from ..models import ApiKey, DeletionResult


class AsyncApiKeys:
    """The API keys of the organization or of a project."""

    def __init__(self, transport: Transport, path: str, scope: str) -> None:
        self._transport = transport
        self._path = f"{path}/api-keys"
        self._scope = scope

    def _path_of(self, api_key_id: int) -> str:
        return f"{self._path}/{path_segment('api_key_id', api_key_id)}"

    async def list(self) -> builtins.list[ApiKey]:
        """List the API keys.

        Endpoint: ``GET /v1/organization/api-keys`` or ``GET /v1/projects/{projectId}/api-keys``.

        Returns:
            The keys. ``value`` is masked but for its last 6 characters.
        """
        call = Call(f"list{self._scope}ApiKeys", "GET", self._path, Effect.READ)
        return await self._transport.send(call, builtins.list[ApiKey], "apiKeys")

    async def get(self, api_key_id: int) -> ApiKey:
        """Get an API key.

        Endpoint: ``GET /v1/organization/api-keys/{apiKeyId}`` or ``GET /v1/projects/{projectId}/api-keys/{apiKeyId}``.

        Args:
            api_key_id: The id of the key.

        Returns:
            The key. ``value`` is masked but for its last 6 characters.

        Raises:
            NotFoundError: There is no such key.
        """
        call = Call(f"get{self._scope}ApiKey", "GET", self._path_of(api_key_id), Effect.READ)
        return await self._transport.send(call, ApiKey, "apiKey")

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
        call = Call(f"create{self._scope}ApiKey", "POST", self._path, Effect.ONCE, body={"name": name})
        return await self._transport.send(call, ApiKey, "apiKey")

    async def update(self, api_key_id: int, *, valid: bool) -> ApiKey:
        """Deactivate an API key, or activate it again.

        A client can deactivate the very key that it uses: its next call raises ``AuthenticationError``.

        Endpoint: ``PUT /v1/organization/api-keys/{apiKeyId}`` or ``PUT /v1/projects/{projectId}/api-keys/{apiKeyId}``.

        Args:
            api_key_id: The id of the key.
            valid: ``False`` to deactivate it, ``True`` to activate it.

        Returns:
            The key as it is now, its ``value`` masked.

        Raises:
            NotFoundError: There is no such key.
        """
        call = Call(
            f"update{self._scope}ApiKey", "PUT", self._path_of(api_key_id), Effect.REPEATABLE, body={"valid": valid}
        )
        return await self._transport.send(call, ApiKey, "apiKey")

    async def delete(self, api_key_id: int) -> DeletionResult:
        """Delete an API key, at once and for good. What still uses it is refused from now on.

        Endpoint: ``DELETE /v1/organization/api-keys/{apiKeyId}`` or
        ``DELETE /v1/projects/{projectId}/api-keys/{apiKeyId}``.

        Args:
            api_key_id: The id of the key.

        Returns:
            The id of the key that was deleted.

        Raises:
            NotFoundError: There is no such key.
        """
        call = Call(f"delete{self._scope}ApiKey", "DELETE", self._path_of(api_key_id), Effect.REPEATABLE)
        return await self._transport.send(call, DeletionResult, if_gone=DeletionResult(api_key_id, deleted=True))


class AsyncOrganizationApiKeys(AsyncApiKeys):
    """The API keys of the organization."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport, "/v1/organization", "Organization")


class AsyncProjectApiKeys(AsyncApiKeys):
    """The API keys of a project."""

    def __init__(self, transport: Transport, project_path: str) -> None:
        super().__init__(transport, project_path, "Project")
