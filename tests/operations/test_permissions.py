"""Permissions of both scopes, on the emulator."""

from __future__ import annotations

import pytest

from confidentai_admin import ConfidentAI, NotFoundError

from .faces import done
from .lookups import at_each_scope, new_project, place


@at_each_scope
@pytest.mark.shows("listPermissions", "listProjectPermissions")
async def test_list_has_what_a_policy_of_the_scope_can_hold(client: ConfidentAI, scope: str) -> None:
    """Each permission has an id and a name `resource:action`, and a policy of the scope takes all of them."""
    where = await place(client, scope)
    permissions = await done(where.iam.permissions.list())
    names = {permission.name for permission in permissions}
    assert len(names) == len(permissions) == len({permission.id for permission in permissions})
    assert all(len(name.split(":")) == 2 for name in names)
    own, others = ("sso:manage", "prompt:read") if scope == "organization" else ("prompt:read", "sso:manage")
    assert own in names
    assert others not in names
    policy = await done(where.iam.policies.create("All", permission_ids=[each.id for each in permissions]))
    assert policy.permissions is not None
    assert {permission.name for permission in policy.permissions} == names


@pytest.mark.shows("listProjectPermissions")
async def test_ids_differ_from_project_to_project(client: ConfidentAI) -> None:
    """Two projects have permissions of the same names under other ids, and no project has none."""
    one, other = [
        {each.name: each.id for each in await done((await new_project(client, name)).iam.permissions.list())}
        for name in ("One", "Other")
    ]
    assert one.keys() == other.keys()
    assert not set(one.values()) & set(other.values())
    with pytest.raises(NotFoundError) as caught:
        await done(client.project("nowhere").iam.permissions.list())
    assert caught.value.operation == "listProjectPermissions"
