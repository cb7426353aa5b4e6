"""Governance policies and the projects under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import BOTH

if TYPE_CHECKING:
    from .conftest import Api


pytestmark = BOTH


async def _policies(api: Api) -> tuple[str, str]:
    listed = (await api.ok("listGovernancePolicies"))["governancePolicies"]
    by_name = {each["name"]: str(each["id"]) for each in listed}
    return by_name["Baseline"], by_name["High risk"]


async def test_the_default_world_has_two_with_controls_of_all_types(api: Api) -> None:
    """Two policies, no project under them, and each type of control is there."""
    policies = (await api.ok("listGovernancePolicies"))["governancePolicies"]
    assert [policy["projectsCount"] for policy in policies] == [0, 0]
    types = {control["type"] for policy in policies for control in policy["controls"]}
    assert types == {"RUNTIME", "PRE_DEPLOYMENT_EVALS", "PRE_DEPLOYMENT_RED_TEAMING", "OPERATIONAL"}


async def test_assigning_succeeds_in_part(api: Api) -> None:
    """Known projects are assigned, unknown ids come back, and an id given twice counts once."""
    policy, _ = await _policies(api)
    one, two = await api.project("One"), await api.project("Two")
    body = {"projectIds": [two, "none", one, two, "none"]}
    assert await api.ok("assignProjectsToGovernancePolicy", policy, body=body) == {
        "governancePolicy": {"id": policy, "name": "Baseline"},
        "assignedProjectIds": [two, one],
        "notFoundProjectIds": ["none"],
        "count": 2,
    }
    assert (await api.ok("getProject", one))["project"]["governancePolicy"] == {"id": policy, "name": "Baseline"}


async def test_assigning_only_unknown_ids_is_a_success_of_none(api: Api) -> None:
    """Nothing found is 200 with a count of zero."""
    policy, _ = await _policies(api)
    data = await api.ok("assignProjectsToGovernancePolicy", policy, body={"projectIds": ["none"]})
    assert (data["assignedProjectIds"], data["count"]) == ([], 0)


async def test_assigning_moves_a_project_and_leaves_the_others(api: Api) -> None:
    """A project is under one policy at most; counts follow, and re-assigning counts again."""
    first, second = await _policies(api)
    one, two = await api.project("One"), await api.project("Two")
    await api.ok("assignProjectsToGovernancePolicy", first, body={"projectIds": [one, two]})
    await api.ok("assignProjectsToGovernancePolicy", second, body={"projectIds": [one]})
    again = await api.ok("assignProjectsToGovernancePolicy", second, body={"projectIds": [one]})
    assert again["count"] == 1
    policies = (await api.ok("listGovernancePolicies"))["governancePolicies"]
    assert [policy["projectsCount"] for policy in policies] == [1, 1]
    assert (await api.ok("listGovernancePolicyProjects", first)) == {
        "projects": [{"id": two, "name": "Two"}],
        "total": 1,
    }


async def test_unassigning_succeeds_in_part(api: Api) -> None:
    """Projects under the policy are taken off it; others, unknown ones and those of another policy are skipped."""
    first, second = await _policies(api)
    one, two, three = await api.project("One"), await api.project("Two"), await api.project("Three")
    await api.ok("assignProjectsToGovernancePolicy", first, body={"projectIds": [one]})
    await api.ok("assignProjectsToGovernancePolicy", second, body={"projectIds": [two]})
    body = {"projectIds": [one, two, three, "none", one, "none"]}
    assert await api.ok("unassignProjectsFromGovernancePolicy", first, body=body) == {
        "governancePolicy": {"id": first, "name": "Baseline"},
        "unassignedProjectIds": [one],
        "skippedProjectIds": [two, three, "none"],
        "count": 1,
    }
    assert (await api.ok("getProject", one))["project"]["governancePolicy"] is None
    assert (await api.ok("getProject", two))["project"]["governancePolicy"]["id"] == second


@pytest.mark.parametrize("ids", [[], None, "x", [1], [None]])
@pytest.mark.parametrize("name", ["assignProjectsToGovernancePolicy", "unassignProjectsFromGovernancePolicy"])
async def test_at_least_one_project_id_is_needed(api: Api, name: str, ids: object) -> None:
    """An empty list and wrong types are 400."""
    policy, _ = await _policies(api)
    assert (await api.refused(400, name, policy, body={"projectIds": ids})).startswith("projectIds")


async def test_an_unknown_policy_is_404(api: Api) -> None:
    """An unknown id, or an access policy's, is 404 for assigning, unassigning and listing."""
    other = (await api.ok("createPolicy", body={"name": "P", "permissionIds": await api.ids_for("Policy")}))["policy"][
        "id"
    ]
    for bad in ("none", other):
        await api.refused(404, "assignProjectsToGovernancePolicy", bad, body={"projectIds": ["x"]})
        await api.refused(404, "unassignProjectsFromGovernancePolicy", bad, body={"projectIds": ["x"]})
        await api.refused(404, "listGovernancePolicyProjects", bad)


async def test_a_policys_projects_come_in_pages(api: Api) -> None:
    """Pages together hold each project once, in v2 the newest first; beyond the end is empty with the same total."""
    policy, _ = await _policies(api)
    ids = [await api.project(f"Project {number}") for number in range(5)]
    await api.ok("assignProjectsToGovernancePolicy", policy, body={"projectIds": ids})
    seen = []
    for page in (1, 2, 3):
        data = await api.ok("listGovernancePolicyProjects", policy, query=f"?page={page}&pageSize=2")
        assert data["total"] == 5
        seen += [project["id"] for project in data["projects"]]
    assert seen == (ids if api.version == "v1" else ids[::-1])
    assert await api.ok("listGovernancePolicyProjects", policy, query="?page=4&pageSize=2") == {
        "projects": [],
        "total": 5,
    }
