"""Blocking code that was written for the vendor's client, with only the import changed."""

from __future__ import annotations

import pytest
from aioresponses import aioresponses

import confidentai_admin as confidentai
from confidentai_admin.emulator import Emulator


@pytest.fixture
def client(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> confidentai.ConfidentAI:
    """A client made as the vendor's users make it: all from the environment."""
    monkeypatch.setenv("CONFIDENT_ORG_API_KEY", emulator.api_key)
    monkeypatch.setenv("CONFIDENT_BASE_URL", emulator.url)
    return confidentai.ConfidentAI()


@pytest.mark.parametrize(
    "name",
    [
        "Organization",
        "Project",
        "CreatedProject",
        "ApiKey",
        "Member",
        "Invitation",
        "Role",
        "Policy",
        "Permission",
        "NamedRef",
        "DeletionResult",
        "GovernancePolicy",
        "GovernanceControl",
        "GovernancePolicyAssignmentResult",
        "GovernancePolicyUnassignmentResult",
        "ConfidentApiError",
        "ConfidentAI",
    ],
)
def test_the_name_can_be_imported(name: str) -> None:
    """Every name that the vendor's package exports is exported here."""
    assert name in confidentai.__all__
    assert getattr(confidentai, name)


def test_the_models_are_what_is_given(client: confidentai.ConfidentAI) -> None:
    """The exported models are the types of the results, those of the two scopes included."""
    created = client.projects.create("Checkout", email="mia@acme.example")
    assert isinstance(created, confidentai.CreatedProject)
    assert isinstance(created.project, confidentai.Project)
    assert isinstance(created.api_key, confidentai.ApiKey)
    assert isinstance(client.whoami(), confidentai.Organization)
    for scope in (client.organization(), client.project(created.project.id)):
        assert isinstance(scope.members.list()[0], confidentai.Member)
        assert isinstance(scope.invitations.create(["new@acme.example"])[0], confidentai.Invitation)
        assert isinstance(scope.iam.roles.list()[0], confidentai.Role)
        assert isinstance(scope.iam.permissions.list()[0], confidentai.Permission)
        policy = scope.iam.policies.create("Any", permission_ids=[scope.iam.permissions.list()[0].id])
        assert isinstance(policy, confidentai.Policy)
        assert isinstance(scope.iam.policies.delete(policy.id), confidentai.DeletionResult)
    (baseline, _) = client.organization().governance.policies.list()
    assert isinstance(baseline, confidentai.GovernancePolicy)
    assert isinstance(baseline.controls[0], confidentai.GovernanceControl)


def test_projects(client: confidentai.ConfidentAI) -> None:
    """Projects are made, read, changed and deleted under the vendor's names."""
    created = client.projects.create("Checkout", description="Takes the money", email="mia@acme.example")
    assert created.project.name == "Checkout"
    assert created.api_key is not None
    assert created.api_key.value.startswith("confident_")
    project = client.project(created.project.id)
    assert project.get().governance_policy is None
    assert project.update(name="Till", description="Takes more money").name == "Till"
    assert [each.name for each in client.projects.list()] == ["Till"]
    deleted = project.delete()
    assert (deleted.id, deleted.deleted) == (created.project.id, True)


def test_the_organization(client: confidentai.ConfidentAI) -> None:
    """The organization is read and renamed under the vendor's names."""
    organization = client.organization()
    assert organization.get().name == client.whoami().name == "Acme Inc."
    assert organization.update(name="Acme Ltd.").name == "Acme Ltd."


@pytest.mark.parametrize("scope", ["organization", "project"])
def test_api_keys(client: confidentai.ConfidentAI, scope: str) -> None:
    """API keys are made, read, switched and deleted under the vendor's names."""
    where = client.organization() if scope == "organization" else client.project(_project_id(client))
    key = where.api_keys.create("CI")
    assert where.api_keys.get(key.id).last_used is None
    assert where.api_keys.update(key.id, valid=False).valid is False
    assert key.id in [each.id for each in where.api_keys.list()]
    assert where.api_keys.delete(key.id).deleted is True


@pytest.mark.parametrize("scope", ["organization", "project"])
def test_iam(client: confidentai.ConfidentAI, scope: str) -> None:
    """Permissions, policies and roles are used under the vendor's names."""
    iam = (client.organization() if scope == "organization" else client.project(_project_id(client))).iam
    permission = iam.permissions.list()[0]
    policy = iam.policies.create("Any", permission_ids=[permission.id], description="Any one")
    policy = iam.policies.update(policy.id, name="Some", permission_ids=[permission.id], description=None)
    assert [each.name for each in iam.policies.list()] == ["Some"]
    role = iam.roles.create("Auditor", policy_ids=[policy.id], description="Looks on")
    role = iam.roles.update(role.id, name="Inspector", policy_ids=[policy.id], description=None)
    assert role.name in [each.name for each in iam.roles.list()]
    assert iam.roles.delete(role.id).deleted is True
    assert iam.policies.delete(policy.id).deleted is True


def test_members_and_invitations_of_the_organization(client: confidentai.ConfidentAI) -> None:
    """Members and invitations of the organization are used under the vendor's names."""
    organization = client.organization()
    roles = {role.name: role.id for role in organization.iam.roles.list()}
    member = organization.members.list(page=1, page_size=100)[-1]
    changed = organization.members.update_role(member.id, role_id=roles["Admin"])
    assert changed.organization_role is not None
    assert changed.organization_role.name == "Admin"
    assert organization.members.remove(member.id).removed is True
    (invitation,) = organization.invitations.create(["new@acme.example"], role_id=roles["Member"])
    assert organization.invitations.resend(invitation.id).email == "new@acme.example"
    assert [each.id for each in organization.invitations.list()] == [invitation.id]
    assert organization.invitations.revoke(invitation.id).deleted is True


def test_members_and_invitations_of_a_project(client: confidentai.ConfidentAI, emulator: Emulator) -> None:
    """Members and invitations of a project are used under the vendor's names."""
    project = client.project(_project_id(client))
    emulator.add_member("max@acme.example", project_id=project.id)
    roles = {role.name: role.id for role in project.iam.roles.list()}
    (member,) = project.members.list(page=1, page_size=100)
    changed = project.members.update_role(member.id, role_id=roles["Manager"])
    assert changed.project_role is not None
    assert changed.project_role.name == "Manager"
    assert project.members.remove(member.id).removed is True
    (invitation,) = project.invitations.create(["new@acme.example"], role_id=roles["Member"])
    assert project.invitations.resend(invitation.id).email == "new@acme.example"
    assert [each.id for each in project.invitations.list()] == [invitation.id]
    assert project.invitations.revoke(invitation.id).deleted is True


def test_governance(client: confidentai.ConfidentAI) -> None:
    """Governance policies are used under the vendor's names."""
    policies = client.organization().governance.policies
    project_id = _project_id(client)
    (baseline, _) = policies.list()
    assert baseline.projects_count == 0
    assigned = policies.assign(baseline.id, project_ids=[project_id, "nowhere"])
    assert isinstance(assigned, confidentai.GovernancePolicyAssignmentResult)
    assert assigned.assigned_project_ids == [project_id]
    assert assigned.not_found_project_ids == ["nowhere"]
    assert assigned.count == 1
    (listed,) = policies.list_projects(baseline.id)
    assert isinstance(listed, confidentai.NamedRef)
    assert listed.id == project_id
    on = client.project(project_id).get().governance_policy
    assert on is not None
    assert on.name == "Baseline"
    unassigned = policies.unassign(baseline.id, project_ids=[project_id, "nowhere"])
    assert isinstance(unassigned, confidentai.GovernancePolicyUnassignmentResult)
    assert unassigned.unassigned_project_ids == [project_id]
    assert unassigned.skipped_project_ids == ["nowhere"]
    assert unassigned.count == 1


def test_errors() -> None:
    """An error of the API is the vendor's `ConfidentApiError`, with `message` and `link`."""
    client = confidentai.ConfidentAI("k" * 20, base_url="https://confident.example")
    refusal = {"success": False, "error": "Too good for this plan.", "link": "https://docs.example/plans"}
    with aioresponses() as server:
        server.post("https://confident.example/v1/projects", status=403, payload=refusal)
        with pytest.raises(confidentai.ConfidentApiError) as caught:
            client.projects.create("Checkout")
    assert caught.value.message == "Too good for this plan."
    assert caught.value.link == "https://docs.example/plans"


def _project_id(client: confidentai.ConfidentAI) -> str:
    return client.projects.create("Somewhere").project.id
