"""Policies of both scopes, on the emulator."""

from __future__ import annotations

import pytest

from confidentai_admin import BadRequestError, ConfidentAI, ConflictError, NotFoundError, Policy

from .faces import assert_same, done
from .lookups import at_each_scope, new_project, other_place, permission_ids, place

#: Two permissions that both scopes have.
NAMES = ("apiKey:read", "apiKey:manage")


def named(scope: str, verb: str) -> str:
    """The operation's name at a scope; the organization's has no word for it."""
    return f"{verb}Policy" if scope == "organization" else f"{verb}ProjectPolicy"


def names_in(policy: Policy) -> set[str]:
    assert policy.permissions is not None
    return {permission.name for permission in policy.permissions}


@at_each_scope
@pytest.mark.shows("createPolicy", "createProjectPolicy", "listPolicies", "listProjectPolicies")
async def test_create_makes_a_policy_of_the_scope(client: ConfidentAI, scope: str) -> None:
    """A policy is made of permissions of its scope and listed afterwards; those of system roles are not listed."""
    where = await place(client, scope)
    assert await done(where.iam.policies.list()) == []
    ids = await permission_ids(where, *NAMES)

    policy = await done(where.iam.policies.create("Keys", permission_ids=ids, description="All of keys"))

    assert (policy.name, policy.description) == ("Keys", "All of keys")
    assert names_in(policy) == set(NAMES)
    assert_same(await done(where.iam.policies.list()), [policy])
    bare = await done(where.iam.policies.create("Bare", permission_ids=ids[:1]))
    assert bare.description is None
    assert names_in(bare) == {NAMES[0]}
    assert_same(await done(where.iam.policies.list()), [policy, bare])


async def test_the_scopes_have_policies_of_their_own(client: ConfidentAI) -> None:
    """A project's policy is not among the organization's nor another project's, where its name is free."""
    one, other = await new_project(client, "One"), await new_project(client, "Other")
    policy = await done(one.iam.policies.create("Keys", permission_ids=await permission_ids(one, *NAMES)))
    for elsewhere in (client.organization(), other):
        assert await done(elsewhere.iam.policies.list()) == []
        with pytest.raises(NotFoundError):
            await done(elsewhere.iam.policies.delete(policy.id))
        await done(elsewhere.iam.policies.create("Keys", permission_ids=await permission_ids(elsewhere, *NAMES)))


@at_each_scope
async def test_create_refuses_a_taken_name_and_a_strange_permission(client: ConfidentAI, scope: str) -> None:
    """A name is unique in its scope, and a permission of the other scope is as unknown as any; some are needed."""
    where = await place(client, scope)
    known = await permission_ids(where, *NAMES)
    policy = await done(where.iam.policies.create("Keys", permission_ids=known))
    with pytest.raises(ConflictError) as caught:
        await done(where.iam.policies.create("Keys", permission_ids=known))
    assert caught.value.operation == named(scope, "create")
    strange = await permission_ids(await other_place(client, scope), *NAMES)
    for ids in (strange, ["unknown"], []):
        with pytest.raises(BadRequestError):
            await done(where.iam.policies.create("Other", permission_ids=ids))
    with pytest.raises(TypeError, match="permission_ids"):
        await done(where.iam.policies.create("Other", permission_ids="unknown"))
    assert_same(await done(where.iam.policies.list()), [policy])


@at_each_scope
@pytest.mark.shows("updatePolicy", "updateProjectPolicy")
async def test_update_replaces_the_list_and_keeps_the_description(client: ConfidentAI, scope: str) -> None:
    """The permissions given are all there are from now on; a description left out stays, and None takes it away."""
    where = await place(client, scope)
    first, second = await permission_ids(where, *NAMES)
    made = await done(where.iam.policies.create("Keys", permission_ids=[first], description="Reads keys"))

    replaced = await done(where.iam.policies.update(made.id, name="All keys", permission_ids=[second]))
    assert (replaced.id, replaced.name, replaced.description) == (made.id, "All keys", "Reads keys")
    assert names_in(replaced) == {NAMES[1]}
    assert_same(await done(where.iam.policies.list()), [replaced])

    described = await done(
        where.iam.policies.update(made.id, name="All keys", permission_ids=[first, second], description="Manages keys")
    )
    assert described.description == "Manages keys"
    assert names_in(described) == set(NAMES)

    cleared = await done(where.iam.policies.update(made.id, name="All keys", permission_ids=[first], description=None))
    assert cleared.description is None
    assert names_in(cleared) == {NAMES[0]}
    assert_same(await done(where.iam.policies.list()), [cleared])


@at_each_scope
async def test_update_refuses_another_policys_name(client: ConfidentAI, scope: str) -> None:
    """A refused update changes nothing; a policy may keep its name."""
    where = await place(client, scope)
    ids = await permission_ids(where, *NAMES)
    one = await done(where.iam.policies.create("One", permission_ids=ids))
    two = await done(where.iam.policies.create("Two", permission_ids=ids))
    with pytest.raises(ConflictError) as caught:
        await done(where.iam.policies.update(two.id, name="One", permission_ids=ids))
    assert caught.value.operation == named(scope, "update")
    assert_same(await done(where.iam.policies.list()), [one, two])
    assert_same(await done(where.iam.policies.update(two.id, name="Two", permission_ids=ids)), two)


@at_each_scope
@pytest.mark.shows("deletePolicy", "deleteProjectPolicy")
async def test_delete_takes_a_policy_that_no_role_holds(client: ConfidentAI, scope: str) -> None:
    """A policy cannot be deleted while a role holds it; afterwards it is gone."""
    where = await place(client, scope)
    policy = await done(where.iam.policies.create("Keys", permission_ids=await permission_ids(where, *NAMES)))
    role = await done(where.iam.roles.create("Keeper", policy_ids=[policy.id]))
    with pytest.raises(ConflictError) as caught:
        await done(where.iam.policies.delete(policy.id))
    assert caught.value.operation == named(scope, "delete")
    assert_same(await done(where.iam.policies.list()), [policy])

    await done(where.iam.roles.delete(role.id))
    deleted = await done(where.iam.policies.delete(policy.id))

    assert_same(deleted.id, policy.id)
    assert deleted.deleted is True
    assert await done(where.iam.policies.list()) == []
    with pytest.raises(NotFoundError):
        await done(where.iam.policies.delete(policy.id))
