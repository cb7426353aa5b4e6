"""Invitations of both scopes, on the emulator."""

from __future__ import annotations

import datetime

import pytest

from confidentai_admin import (
    BadRequestError,
    ConfidentAI,
    ConflictError,
    InvitationStatus,
    NotFoundError,
    OrganizationInvitation,
    PermissionDeniedError,
    ProjectInvitation,
)
from confidentai_admin.emulator import Emulator

from .faces import assert_same, done
from .lookups import (
    at_each_scope,
    new_project,
    organization_roles,
    place,
    project_roles,
    role_id,
)


def named(scope: str, operation: str) -> str:
    """The operation's name at a scope; the organization's has no word for it."""
    return operation if scope == "organization" else operation.replace("Invitation", "ProjectInvitation")


@pytest.mark.shows("createInvitations")
async def test_create_invites_to_the_organization(client: ConfidentAI, emulator: Emulator) -> None:
    """Members and the already invited are skipped, in whatever case; the others get the role when they accept."""
    organization = client.organization()
    admin = await role_id(organization, "Admin")
    await done(organization.invitations.create(["first@new.example"]))

    made = await done(
        organization.invitations.create(
            ["MIA@acme.example", "First@New.example", "second@new.example", "third@new.example"], role_id=admin
        )
    )

    assert [invitation.email for invitation in made] == ["second@new.example", "third@new.example"]
    for invitation in made:
        assert isinstance(invitation, OrganizationInvitation)
        assert invitation.status is InvitationStatus.PENDING
        assert invitation.organization_role_id == admin
        assert invitation.created_at.utcoffset() == datetime.timedelta(0)
    emulator.accept_invitation(made[0].id, name="Sam Second")
    assert (await organization_roles(client))["second@new.example"] == "Admin"
    assert [invitation.email for invitation in await done(organization.invitations.list())] == [
        "first@new.example",
        "third@new.example",
    ]


@pytest.mark.shows("createProjectInvitations")
async def test_create_invites_to_a_project(client: ConfidentAI, emulator: Emulator) -> None:
    """A member of the organization is not skipped for a project; a stranger who accepts is in both afterwards."""
    project = await new_project(client, email="mia@acme.example")
    manager = await role_id(project, "Manager")

    made = await done(
        project.invitations.create(["mia@acme.example", "max@acme.example", "new@new.example"], role_id=manager)
    )

    assert [invitation.email for invitation in made] == ["max@acme.example", "new@new.example"]
    for invitation in made:
        assert isinstance(invitation, ProjectInvitation)
        assert invitation.status is InvitationStatus.PENDING
        assert invitation.project_role_id == manager
        emulator.accept_invitation(invitation.id)
    assert await project_roles(project) == {
        "mia@acme.example": "Owner",
        "max@acme.example": "Manager",
        "new@new.example": "Manager",
    }
    assert (await organization_roles(client))["new@new.example"] == "Member"
    assert await done(project.invitations.list()) == []
    assert await done(client.organization().invitations.list()) == []


@at_each_scope
async def test_without_a_role_the_invited_become_members(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """An invitation without a role says None, and who accepts it is a Member."""
    project = await new_project(client)
    if scope == "organization":
        (invitation,) = await done(client.organization().invitations.create(["new@new.example"]))
        assert invitation.organization_role_id is None
        emulator.accept_invitation(invitation.id)
        assert (await organization_roles(client))["new@new.example"] == "Member"
    else:
        (project_invitation,) = await done(project.invitations.create(["new@new.example"]))
        assert project_invitation.project_role_id is None
        emulator.accept_invitation(project_invitation.id)
        assert await project_roles(project) == {"new@new.example": "Member"}


@at_each_scope
async def test_create_refuses_the_owner_role_and_the_free_plan(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """Nobody is invited as Owner, by a word that is no address, or on a plan without invitations."""
    where = await place(client, scope)
    owner = await role_id(where, "Owner")
    with pytest.raises(BadRequestError):
        await done(where.invitations.create(["new@new.example"], role_id=owner))
    with pytest.raises(BadRequestError):
        await done(where.invitations.create(["new@new.example", "nonsense"]))
    emulator.change_plan("FREE")
    with pytest.raises(PermissionDeniedError) as caught:
        await done(where.invitations.create(["new@new.example"]))
    assert caught.value.operation == named(scope, "createInvitations")
    assert await done(where.invitations.list()) == []


@at_each_scope
async def test_create_wants_a_list_of_addresses(client: ConfidentAI, scope: str) -> None:
    """No address, or one string where a list belongs, is a mistake of the caller, found before any request."""
    where = await place(client, scope)
    with pytest.raises(ValueError, match="emails"):
        await done(where.invitations.create([]))
    with pytest.raises(TypeError, match="emails"):
        await done(where.invitations.create("new@new.example"))
    assert await done(where.invitations.list()) == []


@at_each_scope
@pytest.mark.shows("listInvitations", "listProjectInvitations")
async def test_list_has_the_pending_and_the_declined(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """A declined invitation stays in the listing until a new one takes its place; an accepted one does not."""
    invitations = (await place(client, scope)).invitations
    addresses = [f"{name}@new.example" for name in ("pending", "declined", "accepted")]
    pending, declined, accepted = await done(invitations.create(addresses))
    emulator.decline_invitation(declined.id)
    emulator.accept_invitation(accepted.id)

    listed = await done(invitations.list())
    assert [(each.id, each.status) for each in listed] == [
        (pending.id, InvitationStatus.PENDING),
        (declined.id, InvitationStatus.DECLINED),
    ]
    assert_same(listed[0], pending)

    (again,) = await done(invitations.create(["declined@new.example"]))
    assert {each.id for each in await done(invitations.list())} == {pending.id, again.id}


@at_each_scope
@pytest.mark.shows("resendInvitation", "resendProjectInvitation")
async def test_resend_takes_a_pending_invitation(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """A pending invitation is given back as it is and stays one; a declined one is refused."""
    invitations = (await place(client, scope)).invitations
    (invitation,) = await done(invitations.create(["new@new.example"]))

    assert_same(await done(invitations.resend(invitation.id)), invitation)
    assert_same(await done(invitations.list()), [invitation])

    emulator.decline_invitation(invitation.id)
    with pytest.raises(ConflictError) as caught:
        await done(invitations.resend(invitation.id))
    assert caught.value.operation == named(scope, "resendInvitation")
    with pytest.raises(NotFoundError):
        await done(invitations.resend(invitation.id + 1))


@at_each_scope
@pytest.mark.shows("deleteInvitation", "deleteProjectInvitation")
async def test_revoke_deletes_the_pending_and_the_declined(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """A revoked invitation is gone, whether it was pending or declined, and the address can be invited again."""
    invitations = (await place(client, scope)).invitations
    pending, declined, other = await done(
        invitations.create(["one@new.example", "two@new.example", "other@new.example"])
    )
    emulator.decline_invitation(declined.id)

    for invitation in (pending, declined):
        revoked = await done(invitations.revoke(invitation.id))
        assert_same(revoked.id, invitation.id)
        assert revoked.deleted is True
        with pytest.raises(NotFoundError) as caught:
            await done(invitations.revoke(invitation.id))
        assert caught.value.operation == named(scope, "deleteInvitation")

    assert_same(await done(invitations.list()), [other])
    assert len(await done(invitations.create(["one@new.example", "two@new.example"]))) == 2
