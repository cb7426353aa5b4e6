"""A user's service, for the type checkers: what they see is what users get. It is not run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import assert_type

import aiohttp

from confidentai_admin import (
    ApiKey,
    AsyncConfidentAI,
    AsyncKeyRotation,
    AsyncOrganizationClient,
    AsyncPageIterator,
    AsyncProjectClient,
    ConfidentAIError,
    CreatedProject,
    DeletionResult,
    DesiredProject,
    EnsuredProject,
    GovernancePolicyUnassignmentResult,
    Holding,
    NamedRef,
    Onboarding,
    OrganizationInvitation,
    OrganizationMember,
    Page,
    Project,
    ProjectInvitation,
    ProjectMember,
    Report,
    RotatedKey,
    Timeout,
)


@asynccontextmanager
async def lifespan() -> AsyncIterator[AsyncConfidentAI]:
    async with AsyncConfidentAI(
        base_url="https://eval.example.com/prefix",
        timeout=Timeout(connect=2, read=10, total=30),
        max_connections=50,
        trace_configs=[aiohttp.TraceConfig()],
    ) as client:
        yield client


def own_session() -> AsyncConfidentAI:
    return AsyncConfidentAI(session_factory=lambda: aiohttp.ClientSession())


async def provision(client: AsyncConfidentAI, tenant: str) -> str:
    created = await client.projects.create(tenant)
    assert_type(created, CreatedProject)
    project = client.project(created.project.id)
    assert_type(project, AsyncProjectClient)
    key = created.api_key or await project.api_keys.create("service")
    assert_type(key, ApiKey)
    assert_type(await project.get(), Project)
    assert_type(await project.invitations.create(["a@example.com"]), list[ProjectInvitation])
    onboarding = await project.invitations.ensure(["a@example.com"], role="Manager", replace=True)
    assert_type(onboarding, Onboarding)
    assert_type(
        onboarding[0].result, OrganizationInvitation | ProjectInvitation | OrganizationMember | ProjectMember | None
    )
    assert_type(project.members.iter(), AsyncPageIterator[ProjectMember])
    return key.value


async def rotate(client: AsyncConfidentAI, project_id: str, vault: dict[str, str]) -> list[int]:
    api_keys = client.project(project_id).api_keys
    async with api_keys.rotate(7, name="service", retire="keep") as rotation:
        assert_type(rotation, AsyncKeyRotation)
        assert_type(rotation.new_key, ApiKey)
        vault["service"] = rotation.new_key.value
    await rotation.retire(delete=True)
    await rotation.discard()
    assert_type(await api_keys.retire(7, unused_for=datetime.timedelta(hours=24)), ApiKey | DeletionResult)
    return rotation.unfinished


async def members(client: AsyncConfidentAI) -> list[OrganizationMember]:
    organization = client.organization()
    assert_type(organization, AsyncOrganizationClient)
    assert_type(await organization.members.list(), Page[OrganizationMember])
    return [member async for member in organization.members.iter()]


async def keep(ensured: EnsuredProject) -> None:
    assert_type(ensured.new_keys, list[ApiKey])


async def provision_all(client: AsyncConfidentAI, tenants: list[str]) -> list[ApiKey]:
    assert_type(await client.projects.ensure("tenant"), EnsuredProject)
    assert_type(await client.projects.ensure("tenant", key="service", reissue=True, store=keep), EnsuredProject)
    report = await client.projects.ensure_many(
        [DesiredProject(tenant, key="service") for tenant in tenants],
        store=keep,
        on_progress=lambda progress: assert_type(progress.item, DesiredProject | None),
    )
    assert_type(report, Report[DesiredProject, EnsuredProject])
    return report.new_keys


async def in_use(project_id: str) -> int | None:
    return {"id": 7}.get(project_id)


async def rotate_all(client: AsyncConfidentAI, ids: dict[str, int]) -> Report[str, RotatedKey]:
    await client.projects.rotate_keys(ids, key="service", store=print, current=in_use)
    return await client.projects.rotate_keys(ids, key="service", store=print, current=ids.get)


async def let_go(client: AsyncConfidentAI, email: str) -> None:
    report = await client.offboard(email, transfer_projects_to="b@example.com", dry_run=True, must_exist=False)
    assert_type(report, Report[Holding, None])
    assert_type(report[0].item.project, NamedRef | None)
    assert_type(await client.projects.find("name"), Project | None)
    members = client.project("id").members
    assert_type(await members.find(email), ProjectMember | None)
    assert_type(await members.transfer_ownership("id", expect_current=None), ProjectMember)


async def release(client: AsyncConfidentAI, policy_id: str) -> None:
    policies = client.organization().governance.policies
    ids = [governed.id async for governed in policies.iter_projects(policy_id)]
    try:
        result = await policies.unassign(policy_id, project_ids=ids)
    except ConfidentAIError as error:
        assert_type(error.outcome_unknown, bool)
        assert_type(error.operation, str | None)
        raise
    assert_type(result, GovernancePolicyUnassignmentResult)
    assert_type(result.governance_policy, NamedRef)
    await client.close()


class Admin(AsyncConfidentAI):
    """A client of the user's own."""

    tenant: str = "acme"


async def administer() -> None:
    async with Admin() as admin:
        assert_type(admin, Admin)
        assert_type(admin.with_options(timeout=5), Admin)
        assert_type(admin.with_options(read_only=True).tenant, str)
    async with AsyncConfidentAI() as client:
        assert_type(client, AsyncConfidentAI)
        assert_type(client.with_options(timeout=5), AsyncConfidentAI)


async def mistakes(client: AsyncConfidentAI) -> None:
    # What users must be told of: each line is wrong, and a checker that is silent fails on the unused comment.
    client.whoami().name  # type: ignore[attr-defined]  # noqa: B018
    for _ in client.organization().members.iter():  # type: ignore[attr-defined]
        pass
    await client.project("id").members.transfer_ownership("id")  # type: ignore[call-arg]
    with client:  # type: ignore[attr-defined]
        pass
    with client.organization().api_keys.rotate(7):  # type: ignore[attr-defined]
        pass
