"""What is passed as an id and is none: ``None`` from a lookup that missed, or the thing itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from confidentai_admin import AsyncConfidentAI, ConfidentAI, EnsuredProject, Organization, Project
from confidentai_admin.emulator import Emulator

from .faces import done, opened
from .lookups import at_each_scope, new_project
from .tree import tree_of

#: What the other required arguments are.
OTHERS: dict[str, Any] = {
    "name": "CI",
    "key": "CI",
    "valid": False,
    "store": lambda rotated: None,
    "unused_for": timedelta(days=1),
    "expect_current": "usr-1",
}


def ids_of(method: Callable[..., Any]) -> list[str]:
    """The required parameters that are an id or a list of ids."""
    parameters = inspect.signature(method).parameters.values()
    return [each.name for each in parameters if each.default is each.empty and each.name.endswith(("_id", "_ids"))]


def call_with(method: Callable[..., Any], wrong: str, value: object) -> Any:
    """Call a method with a value in the place of one id, and what will do in the place of the other arguments."""
    arguments = {
        each.name: OTHERS.get(each.name, ["id"] if each.name.endswith("_ids") else 7)
        for each in inspect.signature(method).parameters.values()
        if each.default is each.empty
    }
    return method(**{**arguments, wrong: value})


PLACES = [(place, wrong) for place, method in tree_of(AsyncConfidentAI).methods.items() for wrong in ids_of(method)]


def test_every_kind_of_id_is_among_them() -> None:
    """The ids of all things are tried, at both scopes."""
    assert {wrong for _, wrong in PLACES} == {
        *("api_key_id", "invitation_id", "permission_ids", "policy_id", "policy_ids", "project_id", "project_ids"),
        *("role_id", "user_id"),
    }
    assert {("organization.members.update_role", "role_id"), ("project.members.update_role", "role_id")} <= {*PLACES}


@pytest.mark.parametrize(("place", "wrong"), PLACES)
async def test_an_id_that_is_none_is_refused_before_any_request(
    face: type[ConfidentAI], emulator: Emulator, place: str, wrong: str
) -> None:
    """None, as from a `dict.get` that missed, is a TypeError that names the argument, and nothing is sent."""
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        objects: dict[str, object] = {"organization": client.organization(), "project": client.project("prj-1")}
        first, *names = place.split(".")
        method: Any = getattr(client, first) if not names or first not in objects else objects[first]
        for name in names:
            method = getattr(method, name)
        for value in [None] if not wrong.endswith("_ids") else [None, [None], ["id", None]]:
            with pytest.raises(TypeError, match=rf"\b{wrong}\b.* None"):
                await done(call_with(method, wrong, value))
    assert emulator.calls == []


@at_each_scope
async def test_a_role_that_may_be_left_out_is_a_text_if_it_is_there(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """In an invitation, None is no role, and what is neither that nor an id is refused before any request."""
    place: Any = client.organization() if scope == "organization" else await new_project(client)
    (invitation,) = await done(place.invitations.create(["new@acme.example"], role_id=None))
    assert (invitation.organization_role_id if scope == "organization" else invitation.project_role_id) is None
    before = len(emulator.calls)
    with pytest.raises(TypeError, match="role_id must be a string, not int"):
        await done(place.invitations.create(["new@acme.example"], role_id=7))
    for empty in ("", " "):
        with pytest.raises(ValueError, match="role_id is empty"):
            await done(place.invitations.create(["new@acme.example"], role_id=empty))
        with pytest.raises(ValueError, match="role_id is empty"):
            await done(place.members.update_role("usr-1", role_id=empty))
    assert len(emulator.calls) == before


async def test_a_thing_in_the_place_of_its_id_is_told_so(client: ConfidentAI, emulator: Emulator) -> None:
    """Who passes what `find`, `create` or `list` gave hears that its `.id` is wanted."""
    created = await done(client.projects.create("Checkout"))
    project = client.project(created.project.id)
    assert created.api_key is not None
    role = (await done(project.iam.roles.list()))[0]
    member: Any = (await done(client.organization().members.list()))[0]
    ensured = EnsuredProject(created.project, created=False)
    policies = client.organization().governance.policies
    before = len(emulator.calls)
    wrong: list[tuple[Callable[[Any], object], object, str]] = [
        (client.project, created.project, "project_id must be a string, not Project: pass its .id"),
        (client.project, project, "project_id must be a string, not .*ProjectClient: pass its .id"),
        (client.project, created, r"project_id must be a string, not CreatedProject: pass its \.project\.id"),
        (client.project, ensured, r"project_id must be a string, not EnsuredProject: pass its \.project\.id"),
        (project.api_keys.get, created.api_key, r"not ApiKey: pass its \.id"),
        (project.members.remove, member, r"not OrganizationMember: pass its \.id"),
        (lambda each: project.members.update_role("usr-1", role_id=each), role, r"not ProjectRole: pass its \.id"),
        (lambda each: project.invitations.ensure([], role=each), role, r"role must be a string, not ProjectRole: pass"),
        (lambda each: project.members.transfer_ownership(each, expect_current=None), member, r"pass its \.id"),
        (lambda each: project.members.transfer_ownership("usr-1", expect_current=each), member, r"pass its \.id"),
        (
            lambda each: policies.assign("policy", project_ids=[each]),
            created.project,
            r"a Project in it: pass its \.id",
        ),
    ]
    for call, thing, told in wrong:
        with pytest.raises(TypeError, match=told):
            await done(call(thing))
    with pytest.raises(TypeError, match=r"not None .*finds nothing"):
        client.project(await done(client.projects.find("Chekout")))  # type: ignore[arg-type]
    assert [call.operation for call in emulator.calls[before:]] == ["listProjects"]


def view_of(view: str) -> object:
    """What a client gives for an object's id or the organization."""
    client = ConfidentAI("k" * 20)
    return client.organization() if view == "client.organization()" else client.project("prj-1")


@pytest.mark.parametrize(
    ("model", "view", "names"),
    [
        (
            Project("prj-1", "Checkout"),
            "client.project(project.id)",
            ["get", "update", "delete", "api_keys", "members", "invitations", "iam"],
        ),
        (
            Organization("org-1", "Acme Inc.", "TEAM", datetime.now(UTC)),
            "client.organization()",
            ["get", "update", "api_keys", "members", "invitations", "iam", "governance"],
        ),
    ],
)
def test_what_is_looked_for_on_a_model_is_told_to_be_at_the_client(model: object, view: str, names: list[str]) -> None:
    """A model makes no calls: an AttributeError says which object does, and `hasattr` is false."""
    kind = type(model).__name__
    assert set(names) == {name for name in dir(view_of(view)) if not name.startswith("_")} - {"id"}
    for name in names:
        with pytest.raises(AttributeError) as caught:
            getattr(model, name)
        assert str(caught.value) == f"a {kind} is what the API said of it, and makes no calls: use {view}.{name}"
        assert not hasattr(model, name)
        assert name not in repr(model)
