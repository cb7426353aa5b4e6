"""Governance policies, on the emulator."""

from __future__ import annotations

import pytest

from confidentai_admin import ConfidentAI, GovernanceControlType, NamedRef, NotFoundError
from confidentai_admin.emulator import Emulator

from .faces import assert_same, done
from .lookups import new_project


async def governed_by(client: ConfidentAI, project_id: str) -> str | None:
    """The name of the policy that a project is on."""
    policy = (await done(client.project(project_id).get())).governance_policy
    return policy.name if policy else None


@pytest.mark.shows("listGovernancePolicies")
async def test_list_has_what_was_made_in_the_product(client: ConfidentAI, emulator: Emulator) -> None:
    """The policies come with their controls, each of a known type, and with how many projects are on them."""
    emulator.create_governance_policy(
        "New", description="Made today", controls=[{"name": "Pager", "type": "OPERATIONAL"}]
    )
    policies = client.organization().governance.policies
    baseline, high_risk, new = await done(policies.list())
    assert (baseline.name, high_risk.name) == ("Baseline", "High risk")
    assert [control.type for control in (*baseline.controls, *high_risk.controls)] == list(GovernanceControlType)
    assert (new.name, new.description, new.projects_count) == ("New", "Made today", 0)
    (pager,) = new.controls
    assert pager.name == "Pager"
    assert pager.type is GovernanceControlType.OPERATIONAL
    await done(policies.assign(new.id, project_ids=[(await new_project(client)).id]))
    assert [policy.projects_count for policy in await done(policies.list())] == [0, 0, 1]


@pytest.mark.shows("assignProjectsToGovernancePolicy")
async def test_assign_moves_projects_and_reports_unknown_ones(client: ConfidentAI) -> None:
    """Assigning succeeds for the projects there are and names the others; a project is on one policy at most."""
    policies = client.organization().governance.policies
    baseline, high_risk = await done(policies.list())
    one, two = (await new_project(client, "One")).id, (await new_project(client, "Two")).id
    await done(policies.assign(baseline.id, project_ids=[two]))
    await done(policies.assign(high_risk.id, project_ids=[one]))

    result = await done(policies.assign(baseline.id, project_ids=[one, "nowhere", one]))

    assert result.governance_policy == NamedRef(baseline.id, "Baseline")
    assert result.assigned_project_ids == [one]
    assert result.not_found_project_ids == ["nowhere"]
    assert result.count == 1
    assert [await governed_by(client, project_id) for project_id in (one, two)] == ["Baseline", "Baseline"]
    assert (await done(policies.list_projects(high_risk.id))).total == 0
    again = await done(policies.assign(baseline.id, project_ids=[one, two]))
    assert again.count == 2


@pytest.mark.shows("unassignProjectsFromGovernancePolicy")
async def test_unassign_takes_off_what_is_on_and_skips_the_rest(client: ConfidentAI) -> None:
    """Unassigning succeeds for the projects on the policy and names the others, which stay where they are."""
    policies = client.organization().governance.policies
    baseline, high_risk = await done(policies.list())
    one, two = (await new_project(client, "One")).id, (await new_project(client, "Two")).id
    await done(policies.assign(baseline.id, project_ids=[one]))
    await done(policies.assign(high_risk.id, project_ids=[two]))

    result = await done(policies.unassign(baseline.id, project_ids=[one, two, "nowhere"]))

    assert result.governance_policy == NamedRef(baseline.id, "Baseline")
    assert result.unassigned_project_ids == [one]
    assert result.skipped_project_ids == [two, "nowhere"]
    assert result.count == 1
    assert [await governed_by(client, project_id) for project_id in (one, two)] == [None, "High risk"]


@pytest.mark.shows("listGovernancePolicyProjects")
async def test_list_projects_gives_a_page_of_names(client: ConfidentAI) -> None:
    """The projects on a policy come by page, as ids and names, with how many there are in all."""
    policies = client.organization().governance.policies
    baseline = (await done(policies.list()))[0]
    ids = [(await new_project(client, name)).id for name in ("One", "Two", "Three")]
    await done(policies.assign(baseline.id, project_ids=ids))

    page = await done(policies.list_projects(baseline.id, page=1, page_size=2))
    assert_same(list(page), [NamedRef(ids[0], "One"), NamedRef(ids[1], "Two")])
    assert (page.total, page.page, page.page_size, page.has_next) == (3, 1, 2, True)
    last = await done(policies.list_projects(baseline.id, page=2, page_size=2))
    assert_same(list(last), [NamedRef(ids[2], "Three")])
    assert last.has_next is False


async def test_a_policy_must_exist_and_have_work_to_do(client: ConfidentAI) -> None:
    """An unknown policy is a NotFoundError with the operation, and no project at all is a mistake of the caller."""
    policies = client.organization().governance.policies
    with pytest.raises(NotFoundError) as caught:
        await done(policies.list_projects("nowhere"))
    assert caught.value.operation == "listGovernancePolicyProjects"
    with pytest.raises(NotFoundError) as caught:
        await done(policies.assign("nowhere", project_ids=["any"]))
    assert caught.value.operation == "assignProjectsToGovernancePolicy"
    with pytest.raises(NotFoundError) as caught:
        await done(policies.unassign("nowhere", project_ids=["any"]))
    assert caught.value.operation == "unassignProjectsFromGovernancePolicy"
    for change in (policies.assign, policies.unassign):
        with pytest.raises(ValueError, match="project_ids"):
            await done(change("nowhere", project_ids=[]))
        with pytest.raises(TypeError, match="project_ids"):
            await done(change("nowhere", project_ids="any"))
