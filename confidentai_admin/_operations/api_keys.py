"""What API keys can be asked for, at both scopes."""

from __future__ import annotations

from .._api.calls import Call, Effect, Scope
from .._arguments import number_id, plain
from ..models import ApiKey, DeletionResult


def list_api_keys(scope: Scope) -> Call[list[ApiKey]]:
    """List the keys."""
    operation = scope.either("listOrganizationApiKeys", "listProjectApiKeys")
    return Call(operation, Effect.READ, list[ApiKey], scope=scope)


def get_api_key(scope: Scope, api_key_id: int | str) -> Call[ApiKey]:
    """Read a key."""
    operation = scope.either("getOrganizationApiKey", "getProjectApiKey")
    return Call(operation, Effect.READ, ApiKey, scope=scope, ids={"api_key_id": number_id(api_key_id)})


def create_api_key(scope: Scope, *, name: str) -> Call[ApiKey]:
    """Create a key."""
    operation = scope.either("createOrganizationApiKey", "createProjectApiKey")
    return Call(operation, Effect.ONCE, ApiKey, scope=scope, fields={"name": name})


def update_api_key(scope: Scope, api_key_id: int | str, *, valid: bool) -> Call[ApiKey]:
    """Deactivate a key or activate it."""
    operation = scope.either("updateOrganizationApiKey", "updateProjectApiKey")
    ids = {"api_key_id": number_id(api_key_id)}
    return Call(operation, Effect.REPEATABLE, ApiKey, scope=scope, ids=ids, fields={"valid": valid})


def delete_api_key(scope: Scope, api_key_id: int | str) -> Call[DeletionResult]:
    """Delete a key."""
    operation = scope.either("deleteOrganizationApiKey", "deleteProjectApiKey")
    ids = {"api_key_id": number_id(api_key_id)}
    gone = DeletionResult(plain(ids["api_key_id"]), deleted=True)
    return Call(operation, Effect.REPEATABLE, DeletionResult, scope=scope, ids=ids, if_gone=gone)
