"""API keys, of the organization and of projects, and who a request's key says it is."""

from datetime import datetime

from ..refusal import BAD_KEY, PROJECT_KEY, UNKNOWN_ID, VALID_ALREADY, Refused, Unchanged
from .world import ApiKey, Scope, World

DEFAULT_KEY_NAME = "Default Key"
_KEY_WORD = {"organization": "org", "project": "proj"}


def authenticate(world: World, value: str) -> None:
    """Let an organization's valid key pass and note that it was used; refuse everything else."""
    scope, api_key = world.keys_by_value.get(value, (None, None))
    if scope is None or api_key is None or api_key.id not in scope.api_keys or not world.has(scope):
        raise Refused(BAD_KEY, "This API key is not known.")
    if not api_key.valid:
        raise Refused(BAD_KEY, "This API key has been deactivated.")
    if scope.kind == "project":
        raise Refused(PROJECT_KEY, "This is a project's API key; management takes an organization's.")
    api_key.last_used = world.now()


def add(
    world: World, scope: Scope, name: str, value: str | None = None, *, created_at: datetime | None = None
) -> ApiKey:
    """Put a new key into a scope, with a value of its own unless one is given, made now unless a time is given."""
    api_key = ApiKey(
        id=world.ids.integer("api-key"),
        name=name,
        value=world.ids.key_value(_KEY_WORD[scope.kind]) if value is None else value,
        created_at=created_at or world.now(),
    )
    scope.api_keys[api_key.id] = api_key
    world.keys_by_value[api_key.value] = (scope, api_key)
    world.key_mask.add(api_key.value)
    return api_key


def listing(scope: Scope) -> list[ApiKey]:
    """List a scope's keys."""
    return list(scope.api_keys.values())


def find(scope: Scope, api_key_id: int) -> ApiKey:
    """Find one key."""
    if api_key_id not in scope.api_keys:
        raise Refused(UNKNOWN_ID, f"There is no API key with this id in the {scope.kind}.")
    return scope.api_keys[api_key_id]


def update(scope: Scope, api_key_id: int, *, valid: bool) -> ApiKey | Unchanged[ApiKey]:
    """Deactivate or reactivate a key."""
    api_key = find(scope, api_key_id)
    if api_key.valid is valid:
        return Unchanged(api_key, VALID_ALREADY)
    api_key.valid = valid
    return api_key


def delete(scope: Scope, api_key_id: int) -> int:
    """Revoke a key for good."""
    del scope.api_keys[find(scope, api_key_id).id]
    return api_key_id
