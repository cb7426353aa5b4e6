"""All of the API in one walk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from confidentai_admin.emulator._contract.versions import names

from .conftest import BOTH

if TYPE_CHECKING:
    from .conftest import Api

#: `Api.ok`, or what does the same and more.
Ok: TypeAlias = Callable[..., Awaitable[Any]]


async def walk(api: Api, ok: Ok) -> None:
    """Call each operation once, or more often, with success."""
    await ok("getOrganization")
    await ok("updateOrganization", body={"name": "Acme Ltd"})
    api.emu.add_member("new@acme.example")
    await ok("listProjects")
    project = (await ok("createProject", body={"name": "P", "description": "d", "email": "mia@acme.example"}))[
        "project"
    ]["id"]
    await ok("getProject", project)
    await ok("updateProject", project, body={"name": "Q"})
    api.emu.add_member("max@acme.example", project_id=str(project))
    for word, prefix, where in (("Organization", "", ()), ("Project", "Project", (project,))):
        key = (await ok(f"create{word}ApiKey", *where, body={"name": "k"}))["apiKey"]["id"]
        await ok(f"list{word}ApiKeys", *where)
        await ok(f"get{word}ApiKey", *where, key)
        await ok(f"update{word}ApiKey", *where, key, body={"valid": False})
        if api.version != "v1":
            await ok(f"rotate{word}ApiKey", *where, key)
        await ok(f"delete{word}ApiKey", *where, key)
        permissions = await ok(f"list{prefix}Permissions", *where)
        first = permissions["permissions"][0]["id"]
        policy_body = {"name": "A policy", "permissionIds": [first]}
        policy = (await ok(f"create{prefix}Policy", *where, body=policy_body))["policy"]["id"]
        await ok(f"list{prefix}Policies", *where)
        await ok(f"update{prefix}Policy", *where, policy, body=policy_body)
        role_body = {"name": "A role", "policyIds": [policy]}
        role = (await ok(f"create{prefix}Role", *where, body=role_body))["role"]["id"]
        await ok(f"list{prefix}Roles", *where)
        await ok(f"update{prefix}Role", *where, role, body=role_body)
        user = await api.user_id("max@acme.example")
        await ok(f"list{prefix}Members", *where)
        await ok(f"update{prefix}MemberRole", *where, user, body={"roleId": role})
        member = await api.role_id("Member", *[str(each) for each in where])
        await ok(f"update{prefix}MemberRole", *where, user, body={"roleId": member})
        await ok(f"delete{prefix}Role", *where, role)
        await ok(f"delete{prefix}Policy", *where, policy)
        invited = await ok(f"create{prefix}Invitations", *where, body={"emails": ["guest@else.example"]})
        invitation = invited["invitations"][0]["id"]
        await ok(f"list{prefix}Invitations", *where)
        await ok(f"resend{prefix}Invitation", *where, invitation)
        await ok(f"delete{prefix}Invitation", *where, invitation)
    listed = await ok("listGovernancePolicies")
    governance_policy = listed["governancePolicies"][0]["id"]
    await ok("assignProjectsToGovernancePolicy", governance_policy, body={"projectIds": [project]})
    await ok("listGovernancePolicyProjects", governance_policy)
    if api.version != "v1":
        key = (await api.raw("createProjectApiKey", project, body={"name": "gate"}))["value"]
        await ok("assessGovernance", key=key)
    await ok("unassignProjectsFromGovernancePolicy", governance_policy, body={"projectIds": [project]})
    await ok("removeProjectMember", project, await api.user_id("max@acme.example"))
    await ok("removeMember", await api.user_id("new@acme.example"))
    await ok("deleteProject", project)


@BOTH
async def test_every_operation_succeeds_with_the_shape_of_the_table(api: Api) -> None:
    """Each operation can be called with success, and its answer has exactly the table's shape."""
    done: set[str] = set()

    async def ok(name: str, *ids: object, body: object = None, key: str | None = None) -> Any:
        done.add(name)
        return await api.ok(name, *ids, body=body, key=key)

    await walk(api, ok)
    assert done == set(names([api.version]))
