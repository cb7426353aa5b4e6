"""Members, invitations, and what accepting or declining one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import BOTH

if TYPE_CHECKING:
    from .conftest import Api


async def _roles_by_email(api: Api, project: str | None = None) -> dict[str, str | None]:
    name, field = ("listMembers", "organizationRole") if project is None else ("listProjectMembers", "projectRole")
    where = () if project is None else (project,)
    members = (await api.ok(name, *where, query="?pageSize=100"))["members"]
    return {each["email"].partition("@")[0]: each[field] and each[field]["name"] for each in members}


@BOTH
async def test_the_default_members(api: Api) -> None:
    """The default world has an Owner, an Admin and two Members."""
    assert await _roles_by_email(api) == {"olivia": "Owner", "adam": "Admin", "mia": "Member", "max": "Member"}


@BOTH
async def test_members_come_in_pages_each_once(api: Api) -> None:
    """Walking the pages gives every member once, with one total; the default page has 25."""
    for number in range(30):
        api.emu.add_member(f"person{number}@acme.example")
    seen = []
    for page in (1, 2, 3, 4):
        data = await api.ok("listMembers", query=f"?page={page}&pageSize=10")
        assert data["total"] == 34
        seen += [member["id"] for member in data["members"]]
    assert len(seen) == len(set(seen)) == 34
    assert len((await api.ok("listMembers"))["members"]) == 25
    assert len((await api.ok("listMembers", query="?page=2"))["members"]) == 9


@BOTH
async def test_a_page_beyond_the_end_is_empty_with_the_same_total(api: Api) -> None:
    """Reading on after the end is no error."""
    assert await api.ok("listMembers", query="?page=999") == {"members": [], "total": 4}


@BOTH
@pytest.mark.parametrize(
    "query",
    ["page=0", "page=-1", "page=x", "page=", "page=1.5", "pageSize=0", "pageSize=101", "page=1&page=1", "page=%2B1"],
)
async def test_paging_out_of_range_is_400(api: Api, query: str) -> None:
    """Pages begin at 1 and hold 1 to 100, in every paged listing."""
    project = await api.project()
    policy = (await api.ok("listGovernancePolicies"))["governancePolicies"][0]["id"]
    await api.refused(400, "listMembers", query=f"?{query}")
    await api.refused(400, "listProjectMembers", project, query=f"?{query}")
    await api.refused(400, "listGovernancePolicyProjects", policy, query=f"?{query}")


@BOTH
async def test_the_limits_of_a_page_are_allowed(api: Api) -> None:
    """1 and 100 are page sizes."""
    assert len((await api.ok("listMembers", query="?pageSize=1"))["members"]) == 1
    assert len((await api.ok("listMembers", query="?pageSize=100"))["members"]) == 4


@BOTH
async def test_a_members_role_can_be_changed(api: Api) -> None:
    """The new role is answered and kept, and nobody else's changes."""
    mia, admin = await api.user_id("mia@acme.example"), await api.role_id("Admin")
    member = (await api.ok("updateMemberRole", mia, body={"roleId": admin}))["member"]
    assert member["organizationRole"] == {"id": admin, "name": "Admin"}
    assert await _roles_by_email(api) == {"olivia": "Owner", "adam": "Admin", "mia": "Admin", "max": "Member"}


@BOTH
async def test_a_new_owner_of_the_organization_makes_the_old_one_admin(api: Api) -> None:
    """Assigning Owner transfers ownership, and doing it again changes nothing."""
    mia, owner = await api.user_id("mia@acme.example"), await api.role_id("Owner")
    for _ in range(2):
        await api.ok("updateMemberRole", mia, body={"roleId": owner})
        assert await _roles_by_email(api) == {"olivia": "Admin", "adam": "Admin", "mia": "Owner", "max": "Member"}


@BOTH
async def test_a_new_owner_of_a_project_makes_the_old_one_manager(api: Api) -> None:
    """In a project the former Owner becomes Manager; the organization's roles are untouched."""
    project = await api.project(email="mia@acme.example")
    api.emu.add_member("max@acme.example", project_id=project)
    before = await _roles_by_email(api)
    owner, max_ = await api.role_id("Owner", project), await api.user_id("max@acme.example")
    for _ in range(2):
        await api.ok("updateProjectMemberRole", project, max_, body={"roleId": owner})
        assert await _roles_by_email(api, project) == {"mia": "Manager", "max": "Owner"}
    assert await _roles_by_email(api) == before


@BOTH
async def test_a_project_without_an_owner_can_be_given_one(api: Api) -> None:
    """Where nobody is Owner, making somebody Owner demotes nobody."""
    project = await api.project()
    api.emu.add_member("mia@acme.example", project_id=project)
    api.emu.add_member("max@acme.example", project_id=project)
    owner, max_ = await api.role_id("Owner", project), await api.user_id("max@acme.example")
    await api.ok("updateProjectMemberRole", project, max_, body={"roleId": owner})
    assert await _roles_by_email(api, project) == {"mia": "Member", "max": "Owner"}


@BOTH
async def test_the_owners_role_cannot_just_be_changed(api: Api) -> None:
    """In both scopes the Owner stays Owner until somebody else is: 403."""
    project = await api.project(email="mia@acme.example")
    olivia, mia = await api.user_id("olivia@acme.example"), await api.user_id("mia@acme.example")
    await api.refused(403, "updateMemberRole", olivia, body={"roleId": await api.role_id("Member")})
    body = {"roleId": await api.role_id("Member", project)}
    await api.refused(403, "updateProjectMemberRole", project, mia, body=body)


async def test_a_role_of_another_scope_is_404(api: Api) -> None:
    """A role id that is unknown, of the organization in a project, or of another project, is refused."""
    one, two = await api.project("One", email="max@acme.example"), await api.project("Two")
    api.emu.add_member("mia@acme.example", project_id=one)
    mia = await api.user_id("mia@acme.example")
    for role in ("none", await api.role_id("Member"), await api.role_id("Member", two)):
        await api.refused(404, "updateProjectMemberRole", one, mia, body={"roleId": role})
    await api.refused(404, "updateMemberRole", mia, body={"roleId": await api.role_id("Member", one)})


@BOTH
@pytest.mark.parametrize("role_id", [None, 7, ["x"]])
async def test_a_role_id_is_a_string(api: Api, role_id: object) -> None:
    """No member's role can be set to null or to another type."""
    mia = await api.user_id("mia@acme.example")
    assert (await api.refused(400, "updateMemberRole", mia, body={"roleId": role_id})).startswith("roleId ")


@BOTH
async def test_who_is_no_member_is_404(api: Api) -> None:
    """A stranger, or an organization's member who is not in the project, cannot be changed or removed there."""
    project = await api.project()
    mia, role = await api.user_id("mia@acme.example"), await api.role_id("Member", project)
    await api.refused(404, "updateMemberRole", "nobody", body={"roleId": role})
    await api.refused(404, "removeMember", "nobody")
    await api.refused(404, "updateProjectMemberRole", project, mia, body={"roleId": role})
    await api.refused(404, "removeProjectMember", project, mia)


@BOTH
async def test_the_owner_cannot_be_removed(api: Api) -> None:
    """Removing the Owner of the organization or of a project is 403."""
    project = await api.project(email="mia@acme.example")
    await api.refused(403, "removeMember", await api.user_id("olivia@acme.example"))
    await api.refused(403, "removeProjectMember", project, await api.user_id("mia@acme.example"))


async def test_who_owns_a_project_cannot_leave_the_organization(api: Api) -> None:
    """Removing a project's Owner from the organization is 409, until the project is someone else's."""
    project = await api.project(email="mia@acme.example")
    api.emu.add_member("max@acme.example", project_id=project)
    mia, max_ = await api.user_id("mia@acme.example"), await api.user_id("max@acme.example")
    await api.refused(409, "removeMember", mia)
    body = {"roleId": await api.role_id("Owner", project)}
    await api.ok("updateProjectMemberRole", project, max_, body=body)
    assert await api.ok("removeMember", mia) == {"id": mia, "removed": True}


@BOTH
async def test_leaving_the_organization_is_leaving_everything(api: Api) -> None:
    """Removal detaches from every project and clears pending invitations everywhere, not others' or declined ones."""
    one, two, three = await api.project("One"), await api.project("Two"), await api.project("Three")
    api.emu.add_member("mia@acme.example", project_id=one)
    [declined] = (await api.ok("createProjectInvitations", three, body={"emails": ["mia@acme.example"]}))["invitations"]
    api.emu.decline_invitation(declined["id"])
    await api.ok("createProjectInvitations", two, body={"emails": ["MIA@acme.example", "max@acme.example"]})
    await api.ok("removeMember", await api.user_id("mia@acme.example"))
    assert "mia" not in await _roles_by_email(api)
    assert await _roles_by_email(api, one) == {}
    left = (await api.ok("listProjectInvitations", two))["invitations"]
    assert [invitation["email"] for invitation in left] == ["max@acme.example"]
    assert len((await api.ok("listProjectInvitations", three))["invitations"]) == 1


async def test_leaving_a_project_is_leaving_only_that(api: Api) -> None:
    """Removal from a project leaves the organization and other projects as they are."""
    one, two = await api.project("One"), await api.project("Two")
    for project in (one, two):
        api.emu.add_member("mia@acme.example", project_id=project)
    mia = await api.user_id("mia@acme.example")
    assert await api.ok("removeProjectMember", one, mia) == {"id": mia, "removed": True}
    assert await _roles_by_email(api, one) == {}
    assert await _roles_by_email(api, two) == {"mia": "Member"}
    assert (await _roles_by_email(api))["mia"] == "Member"


@BOTH
async def test_leaving_a_project_clears_its_pending_invitations(api: Api) -> None:
    """Who was invited and then added is not invited any more after leaving; other projects' invitations stay."""
    one, two = await api.project("One"), await api.project("Two")
    for project in (one, two):
        await api.ok("createProjectInvitations", project, body={"emails": ["mia@acme.example", "max@acme.example"]})
    api.emu.add_member("mia@acme.example", project_id=one)
    await api.ok("removeProjectMember", one, await api.user_id("mia@acme.example"))
    left = (await api.ok("listProjectInvitations", one))["invitations"]
    assert [invitation["email"] for invitation in left] == ["max@acme.example"]
    assert len((await api.ok("listProjectInvitations", two))["invitations"]) == 2


async def test_only_new_people_are_invited(api: Api) -> None:
    """Members, the already invited and repetitions are skipped without regard to case; the rest are answered."""
    first = await api.ok("createInvitations", body={"emails": ["a@x.example", "Mia@acme.example", "A@X.example"]})
    assert [each["email"] for each in first["invitations"]] == ["a@x.example"]
    second = await api.ok("createInvitations", body={"emails": ["A@x.example", "b@x.example"]})
    assert [each["email"] for each in second["invitations"]] == ["b@x.example"]
    assert await api.ok("createInvitations", body={"emails": ["b@X.example"]}) == {"invitations": []}
    listed = (await api.ok("listInvitations"))["invitations"]
    assert listed == first["invitations"] + second["invitations"]
    assert {each["status"] for each in listed} == {"PENDING"}


@BOTH
async def test_existing_members_are_those_of_that_scope(api: Api) -> None:
    """An organization's member can be invited to a project, and is skipped there only once in it."""
    project = await api.project(email="max@acme.example")
    emails = {"emails": ["mia@acme.example", "max@acme.example"]}
    made = (await api.ok("createProjectInvitations", project, body=emails))["invitations"]
    assert [each["email"] for each in made] == ["mia@acme.example"]


@BOTH
async def test_an_invitations_role_applies_to_all(api: Api) -> None:
    """The role id given is on every invitation, and null where none was given."""
    admin = await api.role_id("Admin")
    body = {"emails": ["a@x.example", "b@x.example"], "organizationRoleId": admin}
    made = (await api.ok("createInvitations", body=body))["invitations"]
    assert [each["organizationRoleId"] for each in made] == [admin, admin]
    [plain] = (await api.ok("createInvitations", body={"emails": ["c@x.example"]}))["invitations"]
    assert plain["organizationRoleId"] is None


@BOTH
async def test_nobody_is_invited_as_owner(api: Api) -> None:
    """The Owner role is refused with 400 in both scopes."""
    project = await api.project()
    body = {"emails": ["a@x.example"]}
    await api.refused(400, "createInvitations", body={**body, "organizationRoleId": await api.role_id("Owner")})
    owner = await api.role_id("Owner", project)
    await api.refused(400, "createProjectInvitations", project, body={**body, "projectRoleId": owner})


async def test_an_invitations_role_is_of_its_scope(api: Api) -> None:
    """A role that is unknown, or of another scope, is 404; no UUID, or the other scope's field, is 400."""
    project = await api.project()
    of_project, of_organization = await api.role_id("Member", project), await api.role_id("Member")
    body = {"emails": ["a@x.example"]}
    await api.refused(404, "createInvitations", body={**body, "organizationRoleId": of_project})
    await api.refused(400, "createInvitations", body={**body, "organizationRoleId": "Member"})
    await api.refused(400, "createInvitations", body={**body, "projectRoleId": of_organization})
    await api.refused(404, "createProjectInvitations", project, body={**body, "projectRoleId": of_organization})


@BOTH
@pytest.mark.parametrize(
    "emails", [[], None, "a@x.example", [None], ["a@x.example", "nobody"], ["a b@x.example"], ["@x.example"], [""]]
)
async def test_bad_addresses_are_400_and_nobody_is_invited(api: Api, emails: object) -> None:
    """The list must hold one address or more, all of them good."""
    assert (await api.refused(400, "createInvitations", body={"emails": emails})).startswith("emails")


async def test_the_free_plan_has_no_invitations_and_the_trial_has(api: Api) -> None:
    """On FREE inviting and resending are 403 in both scopes; on TRIAL they work."""
    project = await api.project()
    body = {"emails": ["a@x.example"]}
    [invitation] = (await api.ok("createInvitations", body=body))["invitations"]
    api.emu.change_plan("FREE")
    await api.refused(403, "createInvitations", body={"emails": ["b@x.example"]})
    await api.refused(403, "createProjectInvitations", project, body=body)
    await api.refused(403, "resendInvitation", invitation["id"])
    api.emu.change_plan("TRIAL")
    await api.ok("createProjectInvitations", project, body=body)
    await api.ok("resendInvitation", invitation["id"])


async def test_a_declined_invitation_cannot_be_resent_but_replaced_or_revoked(api: Api) -> None:
    """Declined: listed, 409 to resend, gone when the person is invited anew, and revocable like a pending one."""
    [old] = (await api.ok("createInvitations", body={"emails": ["a@x.example"]}))["invitations"]
    assert api.emu.decline_invitation(old["id"])["status"] == "DECLINED"
    assert (await api.ok("listInvitations"))["invitations"] == [{**old, "status": "DECLINED"}]
    await api.refused(409, "resendInvitation", old["id"])
    [new] = (await api.ok("createInvitations", body={"emails": ["A@x.example"]}))["invitations"]
    assert new["id"] != old["id"]
    assert (await api.ok("listInvitations"))["invitations"] == [new]
    api.emu.decline_invitation(new["id"])
    assert await api.ok("deleteInvitation", new["id"]) == {"id": new["id"], "deleted": True}
    assert await api.ok("listInvitations") == {"invitations": []}


async def test_resending_changes_nothing(api: Api) -> None:
    """A pending invitation is answered as it was."""
    [made] = (await api.ok("createInvitations", body={"emails": ["a@x.example"]}))["invitations"]
    before = api.state()
    assert (await api.ok("resendInvitation", made["id"]))["invitation"] == made
    assert api.state() == before


@BOTH
async def test_an_invitation_is_found_only_in_its_own_scope(api: Api) -> None:
    """Ids of the other scope, of nothing, and no integers are 404 for resending and revoking."""
    project = await api.project()
    [of_organization] = (await api.ok("createInvitations", body={"emails": ["a@x.example"]}))["invitations"]
    [of_project] = (await api.ok("createProjectInvitations", project, body={"emails": ["a@x.example"]}))["invitations"]
    for bad in (of_project["id"], 1, "x"):
        await api.refused(404, "resendInvitation", bad)
        await api.refused(404, "deleteInvitation", bad)
    await api.refused(404, "resendProjectInvitation", project, of_organization["id"])
    await api.refused(404, "deleteProjectInvitation", project, of_organization["id"])


@BOTH
async def test_accepting_makes_a_member_with_the_invited_role(api: Api) -> None:
    """An accepted invitation is gone, and the invitee is a member with its role, or Member if it named none."""
    body = {"emails": ["a@x.example"], "organizationRoleId": await api.role_id("Admin")}
    [as_admin] = (await api.ok("createInvitations", body=body))["invitations"]
    [plain] = (await api.ok("createInvitations", body={"emails": ["b@x.example"]}))["invitations"]
    member = api.emu.accept_invitation(as_admin["id"], name="Ann")
    assert (member["name"], member["organizationRole"]["name"]) == ("Ann", "Admin")
    api.emu.accept_invitation(plain["id"])
    roles = await _roles_by_email(api)
    assert (roles["a"], roles["b"]) == ("Admin", "Member")
    assert await api.ok("listInvitations") == {"invitations": []}


@BOTH
async def test_accepting_into_a_project_is_joining_the_organization_too(api: Api) -> None:
    """A stranger who accepts a project's invitation becomes Member of the organization as well."""
    project = await api.project()
    body = {"emails": ["a@x.example"], "projectRoleId": await api.role_id("Manager", project)}
    [invitation] = (await api.ok("createProjectInvitations", project, body=body))["invitations"]
    assert api.emu.accept_invitation(invitation["id"])["projectRole"]["name"] == "Manager"
    assert await _roles_by_email(api, project) == {"a": "Manager"}
    assert (await _roles_by_email(api))["a"] == "Member"


@BOTH
async def test_accepting_into_a_project_leaves_the_organizations_role(api: Api) -> None:
    """Who is in the organization already keeps the role there."""
    project = await api.project()
    [invitation] = (await api.ok("createProjectInvitations", project, body={"emails": ["adam@acme.example"]}))[
        "invitations"
    ]
    api.emu.accept_invitation(invitation["id"])
    assert (await _roles_by_email(api))["adam"] == "Admin"


@BOTH
async def test_who_returns_has_the_same_id(api: Api) -> None:
    """A person who was removed and accepts a new invitation is the same user as before."""
    mia = await api.user_id("mia@acme.example")
    await api.ok("removeMember", mia)
    [invitation] = (await api.ok("createInvitations", body={"emails": ["mia@acme.example"]}))["invitations"]
    assert api.emu.accept_invitation(invitation["id"])["id"] == mia
