"""A user's script, for the type checkers: what they see is what users get. It is not run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, assert_type

from confidentai_admin import (
    NOT_GIVEN,
    ApiKey,
    APIStatusError,
    ConfidentAI,
    ConfidentApiError,
    CreatedProject,
    DeletionResult,
    DesiredProject,
    EnsuredProject,
    GovernancePolicy,
    GovernancePolicyAssignmentResult,
    Happened,
    Holding,
    HoldingKind,
    Invitation,
    InvitationStatus,
    KeyRotation,
    Member,
    NamedRef,
    NotGiven,
    Onboarding,
    Organization,
    OrganizationClient,
    OrganizationInvitation,
    OrganizationMember,
    OrganizationRole,
    Outcome,
    Page,
    PageIterator,
    Permission,
    Plan,
    Policy,
    Progress,
    Project,
    ProjectClient,
    ProjectMember,
    ProjectRole,
    RemovalResult,
    Report,
    RotatedKey,
    Timeout,
)


def names(members: Sequence[Member]) -> list[str]:
    return [member.email for member in members]


def rename(client: ConfidentAI, role: OrganizationRole, description: str | NotGiven | None = NOT_GIVEN) -> None:
    policies = [policy.id for policy in role.policies or []]
    client.organization().iam.roles.update(role.id, name="new", policy_ids=policies, description=description)


def keep(ensured: EnsuredProject) -> None:
    assert_type(ensured.new_keys, list[ApiKey])


def tell(progress: Progress[DesiredProject, EnsuredProject]) -> None:
    assert_type(progress.done, int)
    assert_type(progress.happened, Happened | None)
    assert_type(progress.waiting, float | None)


def keep_rotated(rotated: RotatedKey) -> None:
    assert_type(rotated.new_key, ApiKey)
    assert_type(rotated.cleaned_up, list[int])


def in_use(project_id: str) -> int | None:
    return {"id": 7}.get(project_id)


async def in_use_later(project_id: str) -> int:
    return 7


def main() -> None:
    with ConfidentAI("key", region="EU", timeout=30) as client:
        assert_type(client, ConfidentAI)
        assert_type(client.base_url, str)
        assert_type(client.whoami(), Organization)
        assert_type(client.whoami().plan, Plan | str)
        assert_type(client.whoami().created_at, datetime.datetime)
        assert_type(client.projects.list(), list[Project])

        created = client.projects.create("name", description="words", email="a@example.com")
        assert_type(created, CreatedProject)
        assert_type(created.api_key, ApiKey | None)
        assert_type(created.project.governance_policy, NamedRef | None)

        project = client.project(created.project.id)
        assert_type(project, ProjectClient)
        assert_type(project.id, str)
        assert_type(project.update(name="x"), Project)
        assert_type(project.delete(), DeletionResult)
        assert_type(project.delete(expect_name="name"), DeletionResult)
        ensured = client.projects.ensure("tenant", owner="a@example.com", governance_policy="Baseline", key="service")
        assert_type(ensured, EnsuredProject)
        assert_type(ensured.api_key, ApiKey | None)
        assert_type(ensured.is_finished, bool)
        assert_type(ensured.duplicate_key_ids, list[int])
        assert_type(ensured.may_have_orphaned_key, bool)
        assert_type(client.projects.ensure("tenant", key="service", reissue=True, store=keep), EnsuredProject)
        wishes = [DesiredProject("tenant", key="service")]
        made = client.projects.ensure_many(wishes, store=keep, on_progress=tell)
        assert_type(made, Report[DesiredProject, EnsuredProject])
        assert_type(made[0].result, EnsuredProject | None)
        assert_type(made.new_keys, list[ApiKey])
        day = datetime.timedelta(days=1)
        rotated = client.projects.rotate_keys(
            ["id"], key="service", store=keep_rotated, older_than=day, current=in_use, clean_up=day
        )
        assert_type(rotated, Report[str, RotatedKey])
        assert_type(project.api_keys.create("ci").value, str)
        assert_type(project.api_keys.update(7, valid=False).last_used, datetime.datetime | None)
        with project.api_keys.rotate(7, retire="delete") as rotation:
            assert_type(rotation, KeyRotation)
            assert_type(rotation.new_key.value, str)
            assert_type(rotation.unfinished, list[int])
            assert_type(rotation.orphaned_key_ids, list[int])
            assert_type(rotation.may_have_orphaned_key, bool)
        rotation.retire()
        retired = project.api_keys.retire(7, unused_for=datetime.timedelta(days=1), force=True)
        assert_type(retired, ApiKey | DeletionResult)
        assert_type(project.iam.roles.list(), list[ProjectRole])
        assert_type(project.members.list(page=2), Page[ProjectMember])
        assert_type(project.members.iter(), PageIterator[ProjectMember])
        assert_type(project.members.find("a@example.com"), ProjectMember | None)
        assert_type(project.iam.roles.find("Owner"), ProjectRole | None)

        organization = client.organization()
        assert_type(organization, OrganizationClient)
        page = organization.members.list(page_size=100)
        assert_type(page, Page[OrganizationMember])
        assert_type(page[0], OrganizationMember)
        assert_type(page[:2], list[OrganizationMember])
        assert_type(page.has_next, bool)
        names(page)
        for member in organization.members.iter(page_size=50):
            assert_type(member, OrganizationMember)
            assert_type(member.organization_role, NamedRef | None)
        assert_type(organization.members.remove("id"), RemovalResult)
        assert_type(organization.members.find("a@example.com"), OrganizationMember | None)
        assert_type(organization.members.transfer_ownership("id", expect_current="other"), OrganizationMember)
        assert_type(organization.iam.roles.find("Owner"), OrganizationRole | None)
        assert_type(organization.iam.policies.find("name"), Policy | None)
        assert_type(organization.iam.permissions.find("name"), Permission | None)
        invitations = organization.invitations.create(("a@example.com",), role_id="id")
        assert_type(invitations, list[OrganizationInvitation])
        assert_type(invitations[0].status, InvitationStatus | str)
        onboarding = organization.invitations.ensure({"a@example.com"}, update_members=True, resend=True)
        assert_type(onboarding, Onboarding)
        assert_type(onboarding.counts, dict[Happened, int])
        assert_type(onboarding.stopped_by, Exception | None)
        for outcome in onboarding:
            assert_type(outcome.item, str)
            assert_type(outcome.happened, Happened)
        onboarding.raise_for_failures(left_alone=True)
        assert_type(onboarding.left_alone, list[Outcome[str, Invitation | Member]])
        assert_type(organization.iam.permissions.list(), list[Permission])
        assert_type(organization.iam.policies.list(), list[Policy])
        assert_type(organization.governance.policies.list(), list[GovernancePolicy])
        for governed in organization.governance.policies.iter_projects("id"):
            assert_type(governed, NamedRef)
        result = organization.governance.policies.assign("id", project_ids={"a", "b"})
        assert_type(result, GovernancePolicyAssignmentResult)

        report = client.offboard("a@example.com", transfer_projects_to="b@example.com")
        assert_type(report, Report[Holding, None])
        assert_type(report[0].happened, Happened)
        assert_type(report[0].item.kind, HoldingKind)
        report.raise_for_failures()

        data: dict[str, Any] = client.request("GET", "/v1/new", params={"deep": True})
        assert_type(data, dict[str, Any])
        assert_type(ConfidentAI(api_version="v2").base_url, str)
        assert_type(client.with_options(timeout=Timeout(total=5), max_retries=0), ConfidentAI)
        try:
            client.whoami()
        except ConfidentApiError as error:
            assert_type(error, APIStatusError)
            assert_type(error.retry_after, float | None)

        # What users must be told of: each line is wrong, and a checker that is silent fails on the unused comment.
        client.projects.create()  # type: ignore[call-arg]
        client.projects.create("n", "words")  # type: ignore[call-arg]
        client.project(7)  # type: ignore[arg-type]
        client.projects.find("name").id  # type: ignore[union-attr]  # noqa: B018
        created.project.name = "x"  # type: ignore[misc]
        created.api_key.value  # type: ignore[union-attr]  # noqa: B018
        organization.invitations.ensure(["a@example.com"], role=7)  # type: ignore[arg-type]
        project.api_keys.rotate(7, retire="later")  # type: ignore[arg-type]
        project.api_keys.rotate(7.0)  # type: ignore[arg-type]
        client.projects.rotate_keys(["id"], key="k", store=keep_rotated, current=in_use_later)  # type: ignore[arg-type]
        client.projects.rotate_keys(["id"], key="k", store=keep_rotated, current=str)  # type: ignore[arg-type]
        project.update(description=NOT_GIVEN)  # type: ignore[arg-type]


class Admin(ConfidentAI):
    """A client of the user's own."""

    tenant: str = "acme"


def administer() -> None:
    with Admin() as admin:
        assert_type(admin, Admin)
        assert_type(admin.with_options(timeout=5), Admin)
        assert_type(admin.with_options(read_only=True).tenant, str)
    with ConfidentAI() as client:
        assert_type(client, ConfidentAI)
        assert_type(client.with_options(timeout=5), ConfidentAI)
