"""Finding the one thing of a name or an address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from confidentai_admin import AmbiguousMatchError, ConfidentAI, InternalServerError, NotFoundError
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import assert_same, done, everything
from ..operations.lookups import at_each_scope, new_project, permission_ids, place


@attrs.frozen
class Lookup:
    """One `find`.

    Attributes:
        place: Gives what it is a method of, with something there that it can find.
        operation: The operation by which it looks, without what a project's has more in its name.
        name: What it finds there.
        key: The field of the answer's `data` that has the list.
    """

    place: Callable[[ConfidentAI, str], Any]
    operation: str
    name: str
    key: str

    def operation_at(self, scope: str) -> str:
        """The operation at a scope."""
        return self.operation if scope == "organization" else self.operation.replace("list", "listProject")


async def _projects(client: ConfidentAI, scope: str) -> Any:
    await new_project(client, "Checkout")
    return client.projects


async def _members(client: ConfidentAI, scope: str) -> Any:
    if scope == "organization":
        return client.organization().members
    return (await new_project(client, "A place", email="mia@acme.example")).members


async def _roles(client: ConfidentAI, scope: str) -> Any:
    return (await place(client, scope)).iam.roles


async def _policies(client: ConfidentAI, scope: str) -> Any:
    where = await place(client, scope)
    ids = await permission_ids(where, "iam:read")
    await done(where.iam.policies.create("Readers", permission_ids=ids))
    return where.iam.policies


async def _permissions(client: ConfidentAI, scope: str) -> Any:
    return (await place(client, scope)).iam.permissions


MEMBERS = Lookup(_members, "listMembers", "mia@acme.example", "members")
BY_NAME = {
    "roles": Lookup(_roles, "listRoles", "Owner", "roles"),
    "policies": Lookup(_policies, "listPolicies", "Readers", "policies"),
    "permissions": Lookup(_permissions, "listPermissions", "iam:read", "permissions"),
}
CASES = [
    pytest.param(Lookup(_projects, "listProjects", "Checkout", "projects"), "organization", id="projects"),
    *(
        pytest.param(lookup, scope, id=f"{scope} {name}")
        for name, lookup in (BY_NAME | {"members": MEMBERS}).items()
        for scope in ("organization", "project")
    ),
]
each_lookup = pytest.mark.parametrize(("lookup", "scope"), CASES)
each_name = pytest.mark.parametrize(("lookup", "scope"), [case for case in CASES if case.values[0] is not MEMBERS])


def text_of(found: Any) -> str:
    """What it is found by."""
    return str(getattr(found, "email", None) or found.name)


@pytest.mark.both_faces
@each_lookup
async def test_find_gives_the_one_that_is_listed(client: ConfidentAI, lookup: Lookup, scope: str) -> None:
    """What is found is what the listing has."""
    where = await lookup.place(client, scope)
    listed = {text_of(each): each for each in await done(where.list())}
    assert_same(await done(where.find(lookup.name)), listed[lookup.name])


@each_lookup
async def test_find_gives_none_if_there_is_none(client: ConfidentAI, lookup: Lookup, scope: str) -> None:
    """Nothing of this name is None, and not an error."""
    where = await lookup.place(client, scope)
    assert await done(where.find("nothing@else.example")) is None


@each_name
async def test_names_are_compared_exactly(client: ConfidentAI, lookup: Lookup, scope: str) -> None:
    """A name in other case, with white space, or only a part of it, is another name."""
    where = await lookup.place(client, scope)
    for other in (lookup.name.swapcase(), f" {lookup.name}", f"{lookup.name}\n", lookup.name[:-1]):
        assert await done(where.find(other)) is None, other


@at_each_scope
async def test_addresses_are_compared_without_case(client: ConfidentAI, scope: str) -> None:
    """An address in other case or with white space around it is the same; a part of it is not."""
    members = await _members(client, scope)
    for same in ("MIA@acme.example", "  Mia@ACME.Example\n"):
        assert (await done(members.find(same))).email == "mia@acme.example"
    assert await done(members.find("mia@acme.exampl")) is None


#: Addresses that Unicode's folding takes for those of WEISS and FISCHER.
LOOKALIKES = ["weiß@acme.example", "ﬁscher@acme.example", "fi\u017fcher@acme.example"]


@at_each_scope
async def test_other_letters_are_another_address(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """What only Unicode's folding takes for the same letters is the address of somebody else."""
    members = await _members(client, scope)
    project_id = None if scope == "organization" else next(iter(await done(client.projects.list()))).id
    for email in ("weiss@acme.example", "fischer@acme.example"):
        emulator.add_member(email, project_id=project_id)
    for other in LOOKALIKES:
        assert await done(members.find(other)) is None, other
    assert (await done(members.find("WEISS@acme.example"))).email == "weiss@acme.example"


@each_lookup
async def test_several_are_an_error(client: ConfidentAI, emulator: Emulator, lookup: Lookup, scope: str) -> None:
    """If the API lists two of one name, neither is taken."""
    where = await lookup.place(client, scope)
    field = "email" if lookup is MEMBERS else "name"
    twins = [{"id": each, field: lookup.name} for each in ("one", "two")]
    data = {lookup.key: twins, "total": 2}
    emulator.faults.add(lookup.operation_at(scope), faults.Answer(200, body={"success": True, "data": data}))
    with pytest.raises(AmbiguousMatchError, match=f"2 of the .*'{lookup.name}'"):
        await done(where.find(lookup.name))


@each_lookup
async def test_an_error_is_not_none(client: ConfidentAI, emulator: Emulator, lookup: Lookup, scope: str) -> None:
    """If the list cannot be read, that is the error."""
    where = await lookup.place(client, scope)
    emulator.faults.add(lookup.operation_at(scope), faults.Answer(500), times=3)
    with pytest.raises(InternalServerError):
        await done(where.find(lookup.name))


@each_lookup
async def test_what_is_no_name_is_refused(client: ConfidentAI, emulator: Emulator, lookup: Lookup, scope: str) -> None:
    """Nothing but a text with something in it is looked for; anything else is refused before a request."""
    where = await lookup.place(client, scope)
    before = len(emulator.calls)
    for empty in ("", " \n"):
        with pytest.raises(ValueError, match="is empty"):
            await done(where.find(empty))
    for strange in (None, 7, b"Owner"):
        with pytest.raises(TypeError, match="must be a string"):
            await done(where.find(strange))
    assert len(emulator.calls) == before


async def test_find_in_a_project_that_is_not_there(client: ConfidentAI) -> None:
    """A project that does not exist has no answer, which is not the same as None."""
    nowhere = client.project("nowhere")
    with pytest.raises(NotFoundError):
        await done(nowhere.members.find("mia@acme.example"))
    with pytest.raises(NotFoundError):
        await done(nowhere.iam.roles.find("Owner"))


@at_each_scope
async def test_members_are_found_on_every_page(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """All pages are read, so that a second one of the address is seen wherever it is."""
    where = await _members(client, scope)
    project_id = None if scope == "organization" else next(iter(await done(client.projects.list()))).id
    for number in range(230):
        emulator.add_member(f"new{number}@acme.example", project_id=project_id)
    before = len(emulator.calls)
    everybody = await everything(where.iter())
    pages = len(emulator.calls) - before
    assert pages == 3
    assert await done(where.find("New229@acme.example")) == everybody[-1]
    assert (await done(where.find("mia@acme.example"))).email == "mia@acme.example"
    assert len(emulator.calls) - before == 3 * pages


async def test_finding_changes_nothing(client: ConfidentAI, emulator: Emulator) -> None:
    """A client that may only read can find."""
    reader = client.with_options(read_only=True)
    assert await done(reader.organization().members.find("mia@acme.example")) is not None
    assert await done(reader.projects.find("Checkout")) is None
    assert emulator.writes == []
