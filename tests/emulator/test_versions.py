"""Both versions of the API on one world: what is written through one is read through the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator._contract.versions import VERSIONS
from confidentai_admin.emulator.faults import Answer, Faults, Stale

from .raw_client import ask

if TYPE_CHECKING:
    from .conftest import Api

#: What an API key and an invitation have in the second version only.
NEW_FIELDS = {"expiresAt", "shadowValue", "rotatesAt", "token", "isBasePolicy", "page", "pageSize"}


def fields_in(value: Any) -> set[str]:
    """Give the names of all fields in a JSON value."""
    if isinstance(value, dict):
        return set(value).union(*map(fields_in, value.values()))
    return set().union(*map(fields_in, value)) if isinstance(value, list) else set()


async def test_each_version_shows_what_the_other_wrote_in_its_own_shape(api: Api) -> None:
    """One world: names, ids and masked values are the same through both, wrapped by v1 and bare in v2."""
    old, new = api, api.through("v2")
    made = await new.raw("createProject", body={"name": "P", "email": "mia@acme.example"})
    project = made["project"]["id"]
    assert "governancePolicy" not in made["project"]
    shown = await old.raw("getProject", project)
    assert shown == {"project": await new.raw("getProject", project)}
    key = (await old.raw("createProjectApiKey", project, body={"name": "k"}))["apiKey"]
    masked = {**key, "value": "*" * 15 + key["value"][-6:]}
    assert await new.raw("getProjectApiKey", project, key["id"]) == {
        **masked,
        "expiresAt": None,
        "shadowValue": None,
        "rotatesAt": None,
    }
    assert await old.raw("getProjectApiKey", project, key["id"]) == {"apiKey": masked}
    renamed = await new.raw("updateProject", project, body={"name": "Q"})
    assert (await old.raw("listProjects"))["projects"] == [renamed]
    assert await new.raw("deleteProjectApiKey", project, key["id"]) == {"id": key["id"]}
    assert await old.raw("deleteProject", project) == {"id": project, "deleted": True}
    assert (await new.raw("listProjects")) == {"projects": []}


async def test_a_page_says_which_it_is_in_v2_alone(api: Api) -> None:
    """In v2 a total has the name of what it counts, and page and pageSize are echoed, the usual ones too."""
    new = api.through("v2")
    of_one = await new.raw("listMembers", query="?page=2&pageSize=3")
    assert (of_one["totalOrganizationMembers"], of_one["page"], of_one["pageSize"]) == (4, 2, 3)
    assert (await new.raw("listMembers"))["pageSize"] == 25
    assert set(await new.raw("listProjectMembers", await new.project())) == {
        "members",
        "totalProjectMembers",
        "page",
        "pageSize",
    }
    assert set(await api.raw("listMembers")) == {"members", "total"}


async def test_v1_has_none_of_v2s_fields(api: Api) -> None:
    """What is made through v2 shows nothing through v1 that v1 does not know."""
    new = api.through("v2")
    project = await new.project()
    await new.raw("createOrganizationApiKey", body={"name": "k"})
    await new.raw("createInvitations", body={"emails": ["a@else.example"]})
    seen = [
        await api.raw("listOrganizationApiKeys"),
        await api.raw("listInvitations"),
        await api.raw("listMembers"),
        await api.raw("listGovernancePolicies"),
        await api.raw("listProjectApiKeys", project),
    ]
    assert not NEW_FIELDS & fields_in(seen)


async def test_permission_ids_are_the_same_in_both(api: Api) -> None:
    """A script that knows an id from one version may use it in the other."""
    new, project = api.through("v2"), await api.project()
    assert await api.raw("listPermissions") == await new.raw("listPermissions")
    assert await api.raw("listProjectPermissions", project) == await new.raw("listProjectPermissions", project)


async def test_a_record_says_which_version_was_asked(api: Api) -> None:
    """Calls are found by operation or by a path without a version in both, and by a whole path in one."""
    emu, new = api.emu, api.through("v2")
    await api.ok("listProjects")
    await new.ok("listProjects")
    await new.call("createProject", body={})
    await new.send("GET", "/v2/nowhere")
    for where in ("listProjects", "/projects", "GET /projects", "GET *"):
        assert [call.api_version for call in emu.sent(where)][:2] == ["v1", "v2"], where
    assert [call.api_version for call in emu.sent("/v2/projects")] == ["v2", "v2"]
    assert [call.api_version for call in emu.calls] == ["v1", "v2", "v2", None]
    with pytest.raises(ValueError, match="Did you mean POST /projects"):
        emu.sent("POST /project")


async def test_a_fault_for_an_operation_is_for_both_versions(api: Api) -> None:
    """By its name, or by a path without a version, an operation is meant in whichever version it is called."""
    for where in ("listProjects", "/projects", "GET /projects", "/proj*"):
        fault = api.emu.faults.add(where, Answer(503), times=2)
        for caller in (api, api.through("v2")):
            assert (await caller.call("listProjects")).status == 503
        assert fault.used == 2
    only = api.emu.faults.add("/v2/projects", Answer(503), times=None)
    await api.ok("listProjects")
    assert (await api.through("v2").call("listProjects")).status == 503
    assert only.used == 1


async def test_a_read_lags_in_both_versions(api: Api) -> None:
    """A listing shows the past through both, by its name and by a path without a version."""
    for number, where in enumerate(("listProjects", "/projects")):
        stale = api.emu.faults.add(where, Stale(60))
        before = len(api.state().projects)
        await api.project(f"P{number}")
        for caller in (api, api.through("v2")):
            assert len((await caller.ok("listProjects"))["projects"]) == before
        assert stale.used == 2
        api.emu.faults.clear()


@pytest.mark.parametrize(("served", "other"), [("v1", "v2"), ("v2", "v1")])
def test_a_server_of_one_version_does_not_know_the_other(served: str, other: str) -> None:
    """An older server answers 404 to all paths of the newer version, as to any unknown path, and looks at no key."""
    with Emulator(api_versions=(served,)) as emu:
        assert ask(emu, "GET", f"/{served}/organization").status == 200
        unknown = ask(emu, "GET", f"/{other}/organization")
        assert (unknown.status, unknown.json) == (404, ask(emu, "GET", "/nowhere").json)
        assert [call.operation for call in emu.calls] == ["getOrganization", None, None]
        emu.faults.add("GET /organization", Answer(503))
        with pytest.raises(ValueError, match="fits none"):
            emu.faults.add(f"/{other}/organization", Answer(503))
        assert ask(emu, "GET", f"/{served}/organization").status == 503


@pytest.mark.parametrize("versions", [(), ("v3",), ("v1", "v1"), "v1", ("v1", "v3")])
def test_versions_that_there_are_not_are_refused(versions: Any) -> None:
    """One version or more, each once; a text is no list of them."""
    with pytest.raises(ValueError, match="api_versions must be one or more of v1, v2"):
        Emulator(api_versions=versions)


def test_a_plan_allows_so_many_projects_in_v2() -> None:
    """The refusal says how many there are and may be; v1 knows no limit, and a deleted project leaves its place."""
    with Emulator(project_limit=1) as emu:
        made = ask(emu, "POST", "/v2/projects", {"name": "A"}).json["data"]["project"]["id"]
        refused = ask(emu, "POST", "/v2/projects", {"name": "A"})
        assert (refused.status, refused.json["details"]) == (403, {"usage": "1", "limit": "1"})
        assert ask(emu, "POST", "/v1/projects", {"name": "B"}).status == 200
        ask(emu, "DELETE", f"/v1/projects/{made}")
        assert ask(emu, "POST", "/v2/projects", {"name": "C"}).json["details"]["usage"] == "1"
    with pytest.raises(ValueError, match="project_limit must be an int or None"):
        Emulator(project_limit="1")  # type: ignore[arg-type]


def test_the_order_in_which_versions_are_given_means_nothing() -> None:
    """Both are served, whichever is named first."""
    with Emulator(api_versions=["v2", "v1"]) as emu:
        assert [ask(emu, "GET", f"/{version}/organization").status for version in VERSIONS] == [200, 200]


def test_faults_by_themselves_know_both_versions() -> None:
    """Without an emulator a fault is for all versions that there are."""
    faults = Faults()
    added = faults.add("/projects", Answer(503), times=2)
    assert [faults.take("GET", f"/{version}/projects", "listProjects") for version in VERSIONS] == [added, added]
