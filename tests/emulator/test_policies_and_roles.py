"""Permissions, policies and roles, which work alike in both scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import BOTH

if TYPE_CHECKING:
    from .conftest import Api


SCOPES = pytest.mark.parametrize("scope", ["", "Project"])


async def _where(api: Api, scope: str) -> tuple[str, ...]:
    return (await api.project(),) if scope else ()


async def _permission_ids(api: Api, scope: str, where: tuple[str, ...]) -> dict[str, str]:
    data = await api.ok(f"list{scope}Permissions", *where)
    return {permission["name"]: permission["id"] for permission in data["permissions"]}


ORGANIZATION_PERMISSIONS = {
    "project": "create read manage",
    "organization": "read manage",
    "featureAccess": "read manage",
    "sso": "read manage",
    "apiKey": "read manage",
    "user": "read manage delete",
    "billing": "read manage",
    "modelCredential": "read manage",
    "modelCost": "read manage",
    "metric": "read manage",
    "retentionConfig": "read manage",
    "iam": "read manage",
}
PROJECT_PERMISSIONS = {
    "dataset": "create read update delete",
    "golden": "create read update delete",
    "metricCollection": "create read update delete",
    "evaluationRule": "create read update delete",
    "prompt": "create read update delete",
    "promptVersion": "create read update delete",
    "promptLabel": "create read update delete",
    "transformer": "create read update delete",
    "aiConnection": "create read update delete",
    "alertConfig": "create read update delete",
    "integration": "create read update delete",
    "experiment": "create read update delete",
    "testCase": "create read update delete",
    "trace": "read update delete evaluate",
    "span": "read update delete evaluate",
    "thread": "read update delete evaluate",
    "endUser": "read",
    "metric": "read manage",
    "testRun": "create read update delete evaluate",
    "annotationQueue": "create read update delete assign",
    "queue_item": "create read update delete assign",
    "project": "read update delete",
    "apiKey": "read manage",
    "modelCredential": "read manage",
    "modelCost": "read manage",
    "evaluationModel": "read manage",
    "retentionConfig": "read manage",
    "iam": "read manage",
    "user": "read manage delete",
}


@BOTH
@pytest.mark.parametrize(("scope", "expected"), [("", ORGANIZATION_PERMISSIONS), ("Project", PROJECT_PERMISSIONS)])
async def test_permissions_are_those_of_the_scope(api: Api, scope: str, expected: dict[str, str]) -> None:
    """Each scope has exactly its own list, in order, and all ids are different."""
    ids = await _permission_ids(api, scope, await _where(api, scope))
    assert list(ids) == [f"{resource}:{action}" for resource, actions in expected.items() for action in actions.split()]
    assert len(ids) == len(set(ids.values()))


@BOTH
async def test_permission_ids_differ_from_project_to_project(api: Api) -> None:
    """The same permission has another id in another project, so that ids have to be looked up."""
    one = await _permission_ids(api, "Project", (await api.project("One"),))
    two = await _permission_ids(api, "Project", (await api.project("Two"),))
    assert set(one) == set(two)
    assert not set(one.values()) & set(two.values())


@BOTH
@pytest.mark.parametrize(
    ("scope", "names"), [("", ["Owner", "Admin", "Member"]), ("Project", ["Owner", "Manager", "Member"])]
)
async def test_system_roles_are_listed_without_a_scope_id(api: Api, scope: str, names: list[str]) -> None:
    """The system's roles are there from the start, belong to no scope, and their policies are not listed."""
    where = await _where(api, scope)
    roles = (await api.ok(f"list{scope}Roles", *where))["roles"]
    assert [role["name"] for role in roles] == names
    assert {role[f"{'project' if scope else 'organization'}Id"] for role in roles} == {None}
    assert await api.ok(f"list{scope}Policies", *where) == {"policies": []}


@BOTH
async def test_system_roles_allow_what_is_published(api: Api) -> None:
    """Owner and Admin or Manager may do everything, Member everything but the published exceptions."""
    project = await api.project()
    state = api.state()

    def names(project_id: str | None, role: str) -> set[str]:
        scope = state.scope if project_id is None else state.projects[project_id].scope
        [policy_id] = scope.system_role(role).policy_ids
        return {scope.permissions[each].name for each in scope.policies[policy_id].permission_ids}

    every = names(None, "Owner")
    assert names(None, "Admin") == every
    assert len(every) == 26
    assert every - names(None, "Member") == {each for each in every if each.endswith(":manage")} | {"user:delete"}
    every = names(project, "Owner")
    assert names(project, "Manager") == every
    assert every - names(project, "Member") == {
        "project:delete",
        "retentionConfig:manage",
        "user:manage",
        "user:delete",
        "iam:manage",
    }


@SCOPES
async def test_a_policy_is_made_changed_and_deleted(api: Api, scope: str) -> None:
    """A policy shows its permissions by id and name; an update replaces them; a deleted one is gone."""
    where = await _where(api, scope)
    ids = await _permission_ids(api, scope, where)
    one, two = ids["apiKey:read"], ids["iam:read"]
    body = {"name": "P", "description": "D", "permissionIds": [two, one, two]}
    policy = (await api.ok(f"create{scope}Policy", *where, body=body))["policy"]
    assert policy["permissions"] == [{"id": two, "name": "iam:read"}, {"id": one, "name": "apiKey:read"}]
    assert (await api.ok(f"list{scope}Policies", *where))["policies"] == [policy]
    changed = await api.ok(f"update{scope}Policy", *where, policy["id"], body={"name": "Q", "permissionIds": [one]})
    assert changed["policy"] == {
        "id": policy["id"],
        "name": "Q",
        "description": "D",
        "permissions": [{"id": one, "name": "apiKey:read"}],
    }
    assert await api.ok(f"delete{scope}Policy", *where, policy["id"]) == {"id": policy["id"], "deleted": True}
    assert await api.ok(f"list{scope}Policies", *where) == {"policies": []}
    await api.refused(404, f"delete{scope}Policy", *where, policy["id"])


@SCOPES
async def test_a_role_is_made_changed_and_deleted(api: Api, scope: str) -> None:
    """A role shows its policies by id and name and whose it is; an update replaces them; a deleted one is gone."""
    where = await _where(api, scope)
    body: dict[str, object] = {"name": "P", "permissionIds": await api.ids_for("Policy", *where)}
    one = (await api.ok(f"create{scope}Policy", *where, body=body))["policy"]["id"]
    two = (await api.ok(f"create{scope}Policy", *where, body={**body, "name": "Q"}))["policy"]["id"]
    role = (await api.ok(f"create{scope}Role", *where, body={"name": "R", "policyIds": [two, one, two]}))["role"]
    assert role["policies"] == [{"id": two, "name": "Q"}, {"id": one, "name": "P"}]
    assert role["description"] is None
    if scope:
        assert role["projectId"] == where[0]
    else:
        assert role["organizationId"] == (await api.ok("getOrganization"))["organization"]["id"]
    assert role in (await api.ok(f"list{scope}Roles", *where))["roles"]
    changed = await api.ok(f"update{scope}Role", *where, role["id"], body={"name": "S", "policyIds": [one]})
    assert changed["role"] == {**role, "name": "S", "policies": [{"id": one, "name": "P"}]}
    assert await api.ok(f"delete{scope}Role", *where, role["id"]) == {"id": role["id"], "deleted": True}
    await api.refused(404, f"delete{scope}Role", *where, role["id"])


@BOTH
@SCOPES
@pytest.mark.parametrize(("noun", "field"), [("Policy", "permissionIds"), ("Role", "policyIds")])
async def test_a_description_left_out_is_kept_and_null_clears_it(api: Api, scope: str, noun: str, field: str) -> None:
    """On update, leaving the description out and sending null are two things."""
    where = await _where(api, scope)
    body: dict[str, object] = {"name": "N", field: await api.ids_for(noun, *where)}
    key = noun.lower()
    made = (await api.ok(f"create{scope}{noun}", *where, body={**body, "description": "D"}))[key]
    kept = (await api.ok(f"update{scope}{noun}", *where, made["id"], body=body))[key]
    assert kept["description"] == "D"
    cleared = (await api.ok(f"update{scope}{noun}", *where, made["id"], body={**body, "description": None}))[key]
    assert cleared["description"] is None


@BOTH
@SCOPES
@pytest.mark.parametrize(("noun", "field"), [("Policy", "permissionIds"), ("Role", "policyIds")])
async def test_names_are_unique_in_their_scope(api: Api, scope: str, noun: str, field: str) -> None:
    """A name is taken once per scope, for creating and renaming; keeping one's own is no conflict."""
    where = await _where(api, scope)
    body: dict[str, object] = {"name": "N", field: await api.ids_for(noun, *where)}
    made = (await api.ok(f"create{scope}{noun}", *where, body=body))[noun.lower()]
    await api.refused(409, f"create{scope}{noun}", *where, body=body)
    await api.ok(f"create{scope}{noun}", *where, body={**body, "name": "M"})
    await api.refused(409, f"update{scope}{noun}", *where, made["id"], body={**body, "name": "M"})
    await api.ok(f"update{scope}{noun}", *where, made["id"], body=body)
    other = await api.project("Other")
    await api.ok(f"createProject{noun}", other, body={**body, field: await api.ids_for(noun, other)})


@BOTH
@SCOPES
async def test_system_roles_names_are_taken(api: Api, scope: str) -> None:
    """No role can be named like the system's, and none be renamed to it."""
    where = await _where(api, scope)
    ids = await api.ids_for("Role", *where)
    await api.refused(409, f"create{scope}Role", *where, body={"name": "Owner", "policyIds": ids})
    made = (await api.ok(f"create{scope}Role", *where, body={"name": "R", "policyIds": ids}))["role"]
    await api.refused(409, f"update{scope}Role", *where, made["id"], body={"name": "Member", "policyIds": ids})


@SCOPES
async def test_the_names_of_built_in_policies_are_taken(api: Api, scope: str) -> None:
    """No policy can be named like one behind a system role, and none be renamed to it, though they are not listed."""
    where = await _where(api, scope)
    ids = await api.ids_for("Policy", *where)
    made = (await api.ok(f"create{scope}Policy", *where, body={"name": "P", "permissionIds": ids}))["policy"]
    for role in (await api.ok(f"list{scope}Roles", *where))["roles"]:
        body = {"name": role["policies"][0]["name"], "permissionIds": ids}
        await api.refused(409, f"create{scope}Policy", *where, body=body)
        await api.refused(409, f"update{scope}Policy", *where, made["id"], body=body)


@SCOPES
async def test_system_roles_and_their_policies_cannot_be_changed_or_deleted(api: Api, scope: str) -> None:
    """All of the system's roles, and the policies that they name, are 403 for every write."""
    where = await _where(api, scope)
    policy_ids, permission_ids = await api.ids_for("Role", *where), await api.ids_for("Policy", *where)
    for role in (await api.ok(f"list{scope}Roles", *where))["roles"]:
        await api.refused(403, f"update{scope}Role", *where, role["id"], body={"name": "X", "policyIds": policy_ids})
        await api.refused(403, f"delete{scope}Role", *where, role["id"])
        policy = role["policies"][0]["id"]
        body = {"name": "X", "permissionIds": permission_ids}
        await api.refused(403, f"update{scope}Policy", *where, policy, body=body)
        await api.refused(403, f"delete{scope}Policy", *where, policy)


@BOTH
async def test_permissions_and_policies_of_another_scope_are_400(api: Api) -> None:
    """Unknown ids, and those of the organization or of another project, are refused and named by their place."""
    one, two = await api.project("One"), await api.project("Two")
    good = await api.permission_id("apiKey:read", one)
    for bad in ("none", await api.permission_id("apiKey:read"), await api.permission_id("apiKey:read", two)):
        body = {"name": "P", "permissionIds": [good, bad]}
        assert "permissionIds[1]" in await api.refused(400, "createProjectPolicy", one, body=body)
    policy = {"name": "P", "permissionIds": [good]}
    of_one = (await api.ok("createProjectPolicy", one, body=policy))["policy"]["id"]
    for bad in ("none", of_one):
        assert "policyIds[0]" in await api.refused(400, "createRole", body={"name": "R", "policyIds": [bad]})
        await api.refused(400, "createProjectRole", two, body={"name": "R", "policyIds": [bad]})
    await api.refused(400, "updateProjectPolicy", one, of_one, body={"name": "P", "permissionIds": ["none"]})
    role = (await api.ok("createProjectRole", one, body={"name": "R", "policyIds": [of_one]}))["role"]["id"]
    await api.refused(400, "updateProjectRole", one, role, body={"name": "R", "policyIds": ["none"]})


@SCOPES
async def test_a_policy_in_use_cannot_be_deleted(api: Api, scope: str) -> None:
    """A policy that a role names is 409 until the role lets go of it."""
    where = await _where(api, scope)
    body = {"name": "P", "permissionIds": await api.ids_for("Policy", *where)}
    policy = (await api.ok(f"create{scope}Policy", *where, body=body))["policy"]["id"]
    role = (await api.ok(f"create{scope}Role", *where, body={"name": "R", "policyIds": [policy]}))["role"]["id"]
    await api.refused(409, f"delete{scope}Policy", *where, policy)
    await api.ok(f"update{scope}Role", *where, role, body={"name": "R", "policyIds": await api.ids_for("Role", *where)})
    await api.ok(f"delete{scope}Policy", *where, policy)


@BOTH
@SCOPES
async def test_a_role_in_use_cannot_be_deleted(api: Api, scope: str) -> None:
    """A role that a member has is 409 until the member has another."""
    where = await _where(api, scope)
    if where:
        api.emu.add_member("mia@acme.example", project_id=where[0])
    mia = await api.user_id("mia@acme.example")
    role_body = {"name": "R", "policyIds": await api.ids_for("Role", *where)}
    role = (await api.ok(f"create{scope}Role", *where, body=role_body))["role"]["id"]
    await api.ok(f"update{scope}MemberRole", *where, mia, body={"roleId": role})
    await api.refused(409, f"delete{scope}Role", *where, role)
    await api.ok(f"update{scope}MemberRole", *where, mia, body={"roleId": await api.role_id("Member", *where)})
    await api.ok(f"delete{scope}Role", *where, role)


@BOTH
@SCOPES
async def test_a_role_that_a_pending_invitation_names_cannot_be_deleted(api: Api, scope: str) -> None:
    """Invited is as good as assigned while the invitation is pending, and not once it is declined."""
    where = await _where(api, scope)
    field = "projectRoleId" if scope else "organizationRoleId"
    role_body = {"name": "R", "policyIds": await api.ids_for("Role", *where)}
    role = (await api.ok(f"create{scope}Role", *where, body=role_body))["role"]["id"]
    body = {"emails": ["a@x.example"], field: role}
    [invitation] = (await api.ok(f"create{scope}Invitations", *where, body=body))["invitations"]
    await api.refused(409, f"delete{scope}Role", *where, role)
    api.emu.decline_invitation(invitation["id"])
    await api.ok(f"delete{scope}Role", *where, role)
    [left] = (await api.ok(f"list{scope}Invitations", *where))["invitations"]
    assert left[field] is None


@BOTH
@SCOPES
async def test_deleting_a_role_leaves_other_invitations_alone(api: Api, scope: str) -> None:
    """A declined or pending invitation that names another role, or none, is no reason and keeps what it names."""
    where = await _where(api, scope)
    field = "projectRoleId" if scope else "organizationRoleId"
    role_body = {"name": "R", "policyIds": await api.ids_for("Role", *where)}
    role = (await api.ok(f"create{scope}Role", *where, body=role_body))["role"]["id"]
    member = await api.role_id("Member", *where)
    await api.ok(f"create{scope}Invitations", *where, body={"emails": ["a@x.example"], field: member})
    await api.ok(f"create{scope}Invitations", *where, body={"emails": ["b@x.example"]})
    before = await api.ok(f"list{scope}Invitations", *where)
    await api.ok(f"delete{scope}Role", *where, role)
    assert await api.ok(f"list{scope}Invitations", *where) == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": ""}, "name must not be empty"),
        ({"name": None}, "name must not be null"),
        ({"name": ...}, "name is required"),
        ({"ids": ...}, "ids is required"),
        ({"ids": []}, "ids must have at least 1 item"),
        ({"ids": None}, "ids must not be null"),
        ({"ids": "x"}, "ids must be a list"),
        ({"ids": [1]}, "ids[0] must be a string"),
        ({"ids": {}}, "ids must be a list"),
        ({"description": 1}, "description must be a string"),
    ],
)
@SCOPES
@pytest.mark.parametrize(("noun", "field"), [("Policy", "permissionIds"), ("Role", "policyIds")])
async def test_a_policy_or_role_of_the_wrong_shape_is_400(
    api: Api, scope: str, noun: str, field: str, change: dict[str, object], says: str
) -> None:
    """The name and the list are required and not empty, on creation and on update, and every type is checked."""
    where = await _where(api, scope)
    right: dict[str, object] = {"name": "Good", field: await api.ids_for(noun, *where)}
    made = (await api.ok(f"create{scope}{noun}", *where, body=right))[noun.lower()]["id"]
    changes = {field if name == "ids" else name: value for name, value in change.items()}
    body = {name: value for name, value in {**right, "name": "New", **changes}.items() if value is not ...}
    expected = says.replace("ids", field, 1) if "ids" in change else says
    assert expected in await api.refused(400, f"create{scope}{noun}", *where, body=body)
    assert expected in await api.refused(400, f"update{scope}{noun}", *where, made, body=body)
