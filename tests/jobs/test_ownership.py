"""Handing over the role Owner, in the organization and in a project."""

from __future__ import annotations

import inspect
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import attrs
import pytest
import pytest_asyncio

from confidentai_admin import (
    AmbiguousMatchError,
    APIConnectionError,
    APIStatusError,
    ConfidentAI,
    ConfidentAIError,
    ConfigurationError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    UnexpectedStateError,
)
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import assert_same, done, opened, served
from ..operations.lookups import at_each_scope
from .steps import Step, each_fault_at_a_scope, each_persistence, steps_of

OLIVIA, MIA, MAX, ADAM = (f"{name}@acme.example" for name in ("olivia", "mia", "max", "adam"))

PEOPLE = [
    {"email": OLIVIA, "role": "Owner"},
    {"email": MIA, "role": "Admin"},
    {"email": MAX},
    {"email": ADAM},
]
IN_THE_PROJECT = [{"email": OLIVIA, "role": "Owner"}, {"email": MIA, "role": "Manager"}, {"email": MAX}]


@pytest_asyncio.fixture
async def emulator(request: pytest.FixtureRequest) -> AsyncIterator[Emulator]:
    """An organization that Olivia owns, with one project that she owns and Adam is not in, and one without an Owner."""
    projects = [{"name": "Owned", "members": IN_THE_PROJECT}, {"name": "Ownerless", "members": IN_THE_PROJECT[1:]}]
    async with served(Emulator(seed={"members": PEOPLE, "projects": projects}), request) as emulator:
        yield emulator
        emulator.faults.check()


@attrs.frozen
class Scope:
    """The organization or the project, as one who looks from outside sees it."""

    members: Any
    steps: list[Step]

    async def ids(self) -> dict[str, str]:
        """The id of each member, by address."""
        return {member.email: member.id for member in await done(self.members.list())}

    async def roles(self) -> dict[str, str]:
        """The role of each member, by address."""
        members = await done(self.members.list())
        return {member.email: role_of(member).name for member in members}

    async def owner(self) -> str | None:
        """The address of the Owner."""
        return next((email for email, role in (await self.roles()).items() if role == "Owner"), None)


def role_of(member: Any) -> Any:
    """The role that a member of either scope has."""
    return member.organization_role if hasattr(member, "organization_role") else member.project_role


async def scope_of(client: ConfidentAI, scope: str) -> Scope:
    """A scope, and the steps of a transfer in it."""
    more = "" if scope == "organization" else "Project"
    steps = [
        Step(f"list{more}Roles", 1),
        Step(f"list{more}Members", 1),
        Step(f"update{more}MemberRole", 1),
    ]
    if scope == "organization":
        return Scope(client.organization().members, steps)
    owned = (await done(client.projects.list()))[0]
    return Scope(client.project(owned.id).members, steps)


FORMER = {"organization": "Admin", "project": "Manager"}


@pytest.mark.both_faces
@at_each_scope
async def test_the_owner_is_replaced(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """The new Owner is given back, the Owner of before stays, and what is read is read before the one write."""
    where = await scope_of(client, scope)
    ids = await where.ids()
    before = len(emulator.calls)
    owner = await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
    assert steps_of(emulator.calls[before:]) == where.steps
    assert len(emulator.writes) == 1
    assert_same(owner, (await done(where.members.find(MAX))))
    roles = await where.roles()
    assert (roles[MAX], roles[OLIVIA]) == ("Owner", FORMER[scope])


@at_each_scope
async def test_the_same_call_again_does_nothing(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """Who is the Owner already is given back, whoever is expected, and nothing is written."""
    where = await scope_of(client, scope)
    ids = await where.ids()
    first = await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
    for expected in (ids[OLIVIA], ids[MAX], ids[MIA], None):
        assert_same(await done(where.members.transfer_ownership(ids[MAX], expect_current=expected)), first)
    assert len(emulator.writes) == 1


@at_each_scope
async def test_another_owner_than_expected_is_left_alone(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """If somebody else is the Owner than was expected, the error says who, and nothing is written."""
    where = await scope_of(client, scope)
    ids = await where.ids()
    for expected in (ids[MIA], ids[MAX], "unknown", None):
        with pytest.raises(UnexpectedStateError) as caught:
            await done(where.members.transfer_ownership(ids[MAX], expect_current=expected))
        for word in (ids[OLIVIA], OLIVIA, "nobody was" if expected is None else expected, f"Owner of the {scope}"):
            assert word in str(caught.value)
        assert not caught.value.outcome_unknown
    assert emulator.writes == []
    assert await where.owner() == OLIVIA


@at_each_scope
async def test_a_stranger_cannot_become_the_owner(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """The new Owner must be a member of that scope: to be in the organization is not to be in the project."""
    where = await scope_of(client, scope)
    ids = await where.ids()
    adam = (await done(client.organization().members.find(ADAM))).id  # type: ignore[union-attr]
    for stranger in ["unknown"] if scope == "organization" else ["unknown", adam]:
        with pytest.raises(UnexpectedStateError, match=f"{stranger} is no member of the {scope}"):
            await done(where.members.transfer_ownership(stranger, expect_current=ids[OLIVIA]))
    assert emulator.writes == []
    assert await where.owner() == OLIVIA


async def test_a_project_without_an_owner_is_given_one(client: ConfidentAI, emulator: Emulator) -> None:
    """Where there is no Owner, None must be expected, and anybody else is refused."""
    where = client.project((await done(client.projects.list()))[1].id).members
    max_ = await done(where.find(MAX))
    assert max_ is not None
    with pytest.raises(UnexpectedStateError, match="is nobody, and usr-1 was expected"):
        await done(where.transfer_ownership(max_.id, expect_current="usr-1"))
    assert emulator.writes == []
    owner = await done(where.transfer_ownership(max_.id, expect_current=None))
    assert owner.project_role is not None
    assert owner.project_role.name == "Owner"


async def test_the_new_owner_may_be_on_a_later_page(client: ConfidentAI, emulator: Emulator) -> None:
    """All members are read, on all pages, before anybody is called a stranger."""
    where = client.organization().members
    for number in range(150):
        emulator.add_member(f"new{number}@acme.example")
    last, olivia = await done(where.find("new149@acme.example")), await done(where.find(OLIVIA))
    assert last is not None
    assert olivia is not None
    assert (await done(where.transfer_ownership(last.id, expect_current=olivia.id))).id == last.id


@at_each_scope
async def test_expect_current_must_be_said(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """Nobody is moved by accident: there is no default, and what is no id is refused before any request."""
    where = client.organization().members if scope == "organization" else client.project("prj-1").members
    parameter = inspect.signature(where.transfer_ownership).parameters["expect_current"]
    assert (parameter.kind, parameter.default) == (parameter.KEYWORD_ONLY, parameter.empty)
    for user_id, expected in (("", "x"), ("x", ""), (" ", None)):
        with pytest.raises(ValueError, match="is empty"):
            await done(where.transfer_ownership(user_id, expect_current=expected))
    for strange, other in ((7, "x"), ("x", 7), (None, None)):
        with pytest.raises(TypeError, match="must be a string"):
            await done(where.transfer_ownership(strange, expect_current=other))  # type: ignore[arg-type]
    assert emulator.calls == []


async def test_a_read_only_client_makes_no_request(face: type[ConfidentAI], emulator: Emulator) -> None:
    """Who may not write need not look either."""
    async with opened(face(emulator.api_key, base_url=emulator.url, read_only=True)) as client:
        for members in (client.organization().members, client.project("prj-1").members):
            with pytest.raises(ConfigurationError, match="read-only") as caught:
                await done(members.transfer_ownership("x", expect_current="y"))
            assert caught.value.operation == "members.transfer_ownership"
    assert emulator.calls == []


async def test_a_project_that_is_not_there(client: ConfidentAI) -> None:
    """A project that does not exist is not found."""
    with pytest.raises(NotFoundError):
        await done(client.project("nowhere").members.transfer_ownership("x", expect_current=None))


@at_each_scope
async def test_only_the_system_role_is_meant(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """A role by the name Owner that somebody made is not the one; where there is no other, nothing is written."""
    where = await scope_of(client, scope)
    ids = await where.ids()
    own = {"id": "rol-1", "name": "Owner", f"{scope}Id": "somebody's"}
    answer = faults.Answer(200, body={"success": True, "data": {"roles": [own]}})
    emulator.faults.add(where.steps[0].operation, answer)
    with pytest.raises(UnexpectedStateError, match="no system role 'Owner'"):
        await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
    assert emulator.writes == []


@at_each_scope
async def test_two_owners_are_an_error(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """If two are listed as the Owner, it is not known who is meant, and nothing is written."""
    where = await scope_of(client, scope)
    ids = await where.ids()
    members = [
        {"id": member.id, "email": member.email, f"{scope}Role": attrs.asdict(role_of(member))}
        for member in await done(where.members.list())
    ]
    members[1][f"{scope}Role"] = members[0][f"{scope}Role"]
    answer = faults.Answer(200, body={"success": True, "data": {"members": members, "total": len(members)}})
    emulator.faults.add(where.steps[1].operation, answer)
    with pytest.raises(AmbiguousMatchError, match="2 of the Owner"):
        await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
    assert emulator.writes == []


@at_each_scope
@pytest.mark.parametrize("is_done", [False, True])
async def test_an_answer_that_shows_no_owner_is_looked_into(
    client: ConfidentAI, emulator: Emulator, scope: str, is_done: bool
) -> None:
    """If the answer to the change shows another role, the list decides; if that does not show it, it is an error."""
    where = await scope_of(client, scope)
    ids = await where.ids()
    member = {"id": ids[MAX], "email": MAX, f"{scope}Role": None}
    body = {"success": True, "data": {"member": member}}
    emulator.faults.add(where.steps[2].operation, faults.Answer(200, body=body, after_work=is_done))
    if is_done:
        assert (
            role_of(await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))).name == "Owner"
        )
    else:
        with pytest.raises(UnexpectedStateError, match=f"does not show {ids[MAX]} as the Owner") as caught:
            await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
        assert caught.value.outcome_unknown
        (note,) = caught.value.__notes__
        assert OLIVIA in note
    assert await where.owner() == (MAX if is_done else OLIVIA)


@at_each_scope
async def test_a_lost_answer_is_looked_into(client: ConfidentAI, emulator: Emulator, scope: str) -> None:
    """If the answer to the change is lost, the list says whether it was made; if that is lost too, it stays open."""
    where = await scope_of(client, scope)
    ids = await where.ids()
    change = where.steps[2].operation
    emulator.faults.add(change, faults.Drop(after_work=True))
    assert role_of(await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))).name == "Owner"

    assert len(emulator.sent(change)) == 1
    emulator.faults.add(change, faults.Drop())
    emulator.faults.add(where.steps[1].operation, faults.Answer(500), nth=2, times=3)
    with pytest.raises(ConfidentAIError) as caught:
        await done(where.members.transfer_ownership(ids[MIA], expect_current=ids[MAX]))
    assert caught.value.outcome_unknown
    assert caught.value.operation == change
    assert await where.owner() == MAX


@at_each_scope
async def test_an_answer_about_somebody_else_is_looked_into(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """If the answer to the change shows another member as the Owner, that is no success."""
    where = await scope_of(client, scope)
    ids = await where.ids()
    olivia = next(member for member in await done(where.members.list()) if member.email == OLIVIA)
    shown = {"id": olivia.id, "email": OLIVIA, f"{scope}Role": attrs.asdict(role_of(olivia))}
    body = {"success": True, "data": {"member": shown}}
    emulator.faults.add(where.steps[2].operation, faults.Answer(200, body=body))
    with pytest.raises(UnexpectedStateError, match=f"does not show {ids[MAX]} as the Owner") as caught:
        await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
    assert caught.value.outcome_unknown
    assert await where.owner() == OLIVIA


@at_each_scope
@pytest.mark.parametrize("status", [400, 403, 404, 409])
async def test_a_refusal_is_raised_as_it_is(client: ConfidentAI, emulator: Emulator, scope: str, status: int) -> None:
    """What was refused was not done: there is no second look, and no second attempt."""
    where = await scope_of(client, scope)
    ids = await where.ids()
    emulator.faults.add(where.steps[2].operation, faults.Answer(status))
    before = len(emulator.calls)
    with pytest.raises(APIStatusError) as caught:
        await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
    assert (caught.value.status, caught.value.outcome_unknown) == (status, False)
    assert not hasattr(caught.value, "__notes__")
    assert steps_of(emulator.calls[before:]) == where.steps


# The change is not sent again without a look --------------------------------------------------------------------------

PASSING = [
    faults.Drop(),
    faults.Drop(after_work=True),
    faults.Answer(500),
    faults.Answer(502, body="<h1>Bad Gateway</h1>", after_work=True),
    faults.Answer(429, retry_after=2),
    faults.Answer(503),
]


def after_the_first_change(then: Callable[[], object]) -> aiohttp.TraceConfig:
    """Hooks that do something before the request that follows the first change."""
    trace = aiohttp.TraceConfig()
    seen: list[str] = []

    async def on_request_start(session: Any, context: Any, params: aiohttp.TraceRequestStartParams) -> None:
        if "PUT" in seen and "then" not in seen:
            seen.append("then")
            then()
        seen.append(params.method)

    trace.on_request_start.append(on_request_start)
    return trace


@at_each_scope
@pytest.mark.parametrize(
    ("fault", "lag"), [*((fault, 0) for fault in PASSING), (faults.Drop(), 1), (faults.Drop(after_work=True), 4)]
)
async def test_somebody_who_became_the_owner_meanwhile_stays(
    face: type[ConfidentAI], emulator: Emulator, scope: str, fault: faults.Fault, lag: int
) -> None:
    """Whoever was made the Owner after a change that failed is not replaced by a repeat, and the error names them.

    So it is if the listing lags behind.
    """
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as beside:
        place = beside.organization() if scope == "organization" else beside.project(beside.projects.list()[0].id)
        ids = {member.email: member.id for member in place.members.list()}
        role = next(role for role in place.iam.roles.list() if role.name == "Owner")

        def interfere() -> None:
            thread = threading.Thread(target=place.members.update_role, args=(ids[MIA],), kwargs={"role_id": role.id})
            thread.start()
            thread.join()

        trace = after_the_first_change(interfere)
        arguments: dict[str, Any] = {"base_url": emulator.url, "clock": emulator.clock, "trace_configs": [trace]}
        async with opened(face(emulator.api_key, **arguments)) as client:
            where = await scope_of(client, scope)
            emulator.faults.add(where.steps[2].operation, fault)
            if lag:
                emulator.faults.add(where.steps[1].operation, faults.Stale(lag))
            with pytest.raises(ConfidentAIError) as caught:
                await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
            is_certain = fault in PASSING[-2:]
            assert caught.value.outcome_unknown is not is_certain
            told = str(caught.value) if is_certain else "".join(caught.value.__notes__)
            assert ids[MIA] in told
            assert isinstance(caught.value, UnexpectedStateError) is is_certain
            assert await where.owner() == MIA


@at_each_scope
@pytest.mark.parametrize("fault", PASSING, ids=repr)
async def test_each_repeat_comes_after_a_look(
    client: ConfidentAI, emulator: Emulator, scope: str, fault: faults.Fault
) -> None:
    """A change that failed for now is made after another look; one that was seen to be made is not made again.

    Where the answer was lost, and the change is not shown, there are as many looks as 5 seconds allow.
    """
    where = await scope_of(client, scope)
    ids = await where.ids()
    before = len(emulator.calls)
    roles, members, change = (step.operation for step in where.steps)
    emulator.faults.add(change, fault)
    owner = await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
    assert (owner.email, role_of(owner).name) == (MAX, "Owner")
    is_lost = fault not in PASSING[-2:]
    looks = [members] * (6 if is_lost and not fault.after_work else 1)
    sent = [roles, members, change, *looks]
    assert [call.operation for call in emulator.calls[before:]] == (sent if fault.after_work else [*sent, change])
    assert await where.owner() == MAX


@at_each_scope
@pytest.mark.parametrize("max_retries", [0, 1, 2])
async def test_it_is_repeated_as_often_as_any_call(
    client: ConfidentAI, emulator: Emulator, scope: str, max_retries: int
) -> None:
    """There are no more repeats than the client makes of a call, and the last error is raised, with what was seen."""
    where = await scope_of(client.with_options(max_retries=max_retries), scope)
    ids = await where.ids()
    emulator.faults.add(where.steps[2].operation, faults.Drop(), times=None)
    with pytest.raises(APIConnectionError) as caught:
        await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
    assert caught.value.outcome_unknown
    assert len(emulator.sent(where.steps[2].operation)) == max_retries + 1
    (note,) = caught.value.__notes__
    assert OLIVIA in note


@at_each_scope
@pytest.mark.parametrize(("seconds", "attempts"), [(20, 2), (61, 2), (600, 2), (601, 1), (3600, 1)])
async def test_it_waits_as_it_was_asked_to(
    client: ConfidentAI, emulator: Emulator, scope: str, seconds: int, attempts: int
) -> None:
    """A pause that is asked for is kept, if it ends within the time that a job may wait; else the error is raised."""
    where = await scope_of(client.with_options(timeout=30), scope)
    ids = await where.ids()
    emulator.faults.add(where.steps[2].operation, faults.Answer(429, retry_after=seconds))
    began = emulator.clock.monotonic()
    if attempts == 1:
        with pytest.raises(RateLimitError):
            await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
        assert emulator.clock.monotonic() - began < seconds
    else:
        await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
        assert emulator.clock.monotonic() - began >= seconds
    assert len(emulator.sent(where.steps[2].operation)) == attempts


@at_each_scope
async def test_a_refusal_after_a_lost_answer_leaves_it_open(
    client: ConfidentAI, emulator: Emulator, scope: str
) -> None:
    """The first attempt may still be carried out, whatever is said to the second, so the error says so."""
    where = await scope_of(client, scope)
    ids = await where.ids()
    change = where.steps[2].operation
    emulator.faults.add(change, faults.Drop())
    emulator.faults.add(change, faults.Answer(403))
    with pytest.raises(PermissionDeniedError) as caught:
        await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
    assert caught.value.outcome_unknown
    assert len(emulator.sent(change)) == 2


@pytest.mark.in_loop
@each_fault_at_a_scope
@each_persistence
async def test_every_step_can_fail(
    client: ConfidentAI, emulator: Emulator, scope: str, fault: faults.Fault, times: int
) -> None:
    """Whatever fails, what is raised or given is true, nobody else becomes Owner, and the same call again succeeds."""
    for step in (await scope_of(client, scope)).steps:
        emulator.reset()
        emulator.clock.advance(3600)
        where = await scope_of(client, scope)
        ids = await where.ids()
        step.fail(emulator, fault, times=times)
        is_open = False
        try:
            owner = await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
        except ConfidentAIError as error:
            owner = None
            is_open = error.outcome_unknown
        emulator.faults.check()
        emulator.faults.clear()
        emulator.clock.advance(3600)
        now = await where.owner()
        if owner is not None:
            assert (owner.email, now) == (MAX, MAX)
        else:
            assert now == OLIVIA or (is_open and now == MAX)
        again = await done(where.members.transfer_ownership(ids[MAX], expect_current=ids[OLIVIA]))
        assert role_of(again).name == "Owner"
        changed = {MAX: "Owner", OLIVIA: FORMER[scope]}
        assert {email: role for email, role in (await where.roles()).items() if email in changed} == changed
        assert (await where.roles())[MIA] == FORMER[scope]
