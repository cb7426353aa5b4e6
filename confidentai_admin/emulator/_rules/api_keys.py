"""API keys, of the organization and of projects, and who a request's key says it is."""

from datetime import UTC, datetime, timedelta

from ..refusal import (
    BAD_KEY,
    EXPIRED_KEY_ROTATED,
    ORGANIZATION_KEY,
    PROJECT_KEY,
    ROTATION_RUNNING,
    UNKNOWN_ID,
    VALID_ALREADY,
    Refused,
    Unchanged,
)
from . import pages
from .world import ApiKey, Scope, ScopeKind, World

DEFAULT_KEY_NAME = "Default Key"
_KEY_WORD = {"organization": "org", "project": "proj"}


def authenticate(world: World, value: str, *, of: ScopeKind = "organization") -> datetime | None:
    """Let a valid key pass, an organization's or a project's, and note that it was used; refuse everything else.

    Returns:
        When this value ends, if it is being rotated out.
    """
    scope, api_key = world.keys_by_value.get(value, (None, None))
    if scope is None or api_key is None or api_key.id not in scope.api_keys or not world.has(scope):
        raise Refused(BAD_KEY, "This API key is not known.")
    now = world.now()
    if not api_key.has(value, now):
        raise Refused(BAD_KEY, "This value of the API key has been replaced by another.")
    if api_key.is_expired(now):
        raise Refused(BAD_KEY, "This API key has expired.")
    if not api_key.valid:
        raise Refused(BAD_KEY, "This API key has been deactivated.")
    if scope.kind != of:
        if scope.kind == "project":
            raise Refused(PROJECT_KEY, "This is a project's API key; management takes an organization's.")
        raise Refused(ORGANIZATION_KEY, "This is an organization's API key; the gate takes a project's.")
    api_key.last_used = now
    return api_key.rotates_at if value == api_key.value else None


def scope_of(world: World, value: str) -> Scope:
    """Give the scope of a key that was let pass."""
    return world.keys_by_value[value][0]


def add(
    world: World,
    scope: Scope,
    name: str,
    value: str | None = None,
    *,
    created_at: datetime | None = None,
    expires_in_days: int | None = None,
) -> ApiKey:
    """Put a new key into a scope, with a value of its own unless one is given, made now unless a time is given."""
    now = world.now()
    api_key = ApiKey(
        id=world.ids.integer("api-key"),
        name=name,
        value=_new_value(world, scope) if value is None else value,
        created_at=created_at or now,
        expires_at=_expiry(now, expires_in_days),
    )
    scope.api_keys[api_key.id] = api_key
    _register(world, scope, api_key, api_key.value)
    return api_key


def listing(world: World, scope: Scope, *, newest_first: bool = False) -> list[ApiKey]:
    """List a scope's keys; where a rotation is due, the replacement takes its place now."""
    listed = list(scope.api_keys.values())
    for api_key in listed:
        _complete(api_key, world.now())
    return pages.newest_first(listed) if newest_first else listed


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


def rotate(
    world: World, scope: Scope, api_key_id: int, *, grace_period_in_hours: int = 0, **expiry: int | None
) -> ApiKey:
    """Give a key another value: at once, or beside the old one for a grace period, which is never longer than the key.

    `expires_in_days` sets a new end from now, None removes it, and left out it stays.
    """
    api_key = find(scope, api_key_id)
    now = world.now()
    if api_key.is_expired(now) and ("expires_in_days" not in expiry or grace_period_in_hours):
        raise Refused(
            EXPIRED_KEY_ROTATED, "This API key has expired: it needs expiresInDays, or null, and no grace period."
        )
    if api_key.replacement is not None and not api_key.is_rotated(now) and world.second_rotation == "refuse":
        raise Refused(ROTATION_RUNNING, "This API key is being rotated already.")
    _complete(api_key, now)
    if api_key.replacement is not None and world.second_rotation == "old-dies":
        _replace(api_key)
    if "expires_in_days" in expiry:
        api_key.expires_at = _expiry(now, expiry["expires_in_days"])
    api_key.replacement = _new_value(world, scope)
    _register(world, scope, api_key, api_key.replacement)
    if grace_period_in_hours:
        end = _later(now, timedelta(hours=grace_period_in_hours))
        api_key.rotates_at = end if api_key.expires_at is None else min(end, api_key.expires_at)
    else:
        _replace(api_key)
    return api_key


def _complete(api_key: ApiKey, now: datetime) -> None:
    if api_key.is_rotated(now):
        _replace(api_key)


def _replace(api_key: ApiKey) -> None:
    assert api_key.replacement is not None  # noqa: S101 - a rotation has one from its beginning
    api_key.value, api_key.replacement, api_key.rotates_at = api_key.replacement, None, None


def _expiry(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else _later(now, timedelta(days=days))


def _later(now: datetime, by: timedelta) -> datetime:
    try:
        return now + by
    except OverflowError:
        # The clock may have been moved that far.
        return datetime.max.replace(tzinfo=UTC)


def _new_value(world: World, scope: Scope) -> str:
    return world.ids.key_value(_KEY_WORD[scope.kind])


def _register(world: World, scope: Scope, api_key: ApiKey, value: str) -> None:
    world.keys_by_value[value] = (scope, api_key)
    world.key_mask.add(value)


def delete(scope: Scope, api_key_id: int) -> int:
    """Revoke a key for good, and what is to replace its value."""
    del scope.api_keys[find(scope, api_key_id).id]
    return api_key_id
