"""Jobs in a row on a server that limits, lags, loses answers and works late, and what must be true of them.

What a schedule leaves is compared with what its jobs may change, and with what they told. At its end the server is well
again, and the same jobs once more must bring about what they promise.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import os
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any

import attrs
from hypothesis import strategies as st

from confidentai_admin import (
    ConfidentAI,
    ConfidentAIError,
    DesiredProject,
    EnsuredProject,
    Happened,
    PartialFailureError,
    Report,
    RotatedKey,
    Timeout,
    UnexpectedStateError,
)
from confidentai_admin.emulator import Emulator, faults
from confidentai_admin.emulator._http.calls import Entry

from ..jobs.key_watch import entered
from ..operations.faces import done, opened
from .chance import Chance, built, just, one_of, sampled, several
from .state import Invitation, Key, Project, Scope, State, Where, look
from .troubles import OWN_KEY, SHORT_READ, job_accidents, limits, outages, stales

PATIENCE = 30.0  # seconds for making simpler what goes wrong
SETTLED = 120  # seconds by the clock after which all is done, shown, and let through again

OLIVIA, ADA, BEN, EVA, CLEO, DAN = (f"{name}@acme.example" for name in ("olivia", "ada", "ben", "eva", "cleo", "dan"))
NEW, PENDING, DECLINED = ("fay@acme.example", "guy@acme.example"), "hal@acme.example", "ivy@acme.example"

#: What each job is about belongs to no other, so that none undoes what another one has done.
SEED: dict[str, Any] = {
    "organization": {"name": "Acme", "plan": "TEAM"},
    "members": [
        {"email": OLIVIA, "role": "Owner"},
        *({"email": email} for email in (ADA, BEN, EVA, CLEO, DAN)),
    ],
    "invitations": [{"email": PENDING, "role": "Admin"}, {"email": DECLINED, "status": "DECLINED"}],
    "governancePolicies": [{"name": "Baseline"}],
    "apiKeys": [{"name": "Nightly"}],
    "projects": [
        {
            "name": "Old 1",
            "apiKeys": [{"name": "service"}],
            "members": [{"email": EVA, "role": "Owner"}, {"email": ADA}],
        },
        {
            "name": "Old 2",
            "apiKeys": [{"name": "service"}],
            "members": [{"email": CLEO, "role": "Owner"}, {"email": DAN}],
        },
        {
            "name": "Old 3",
            "apiKeys": [{"name": "service"}],
            "members": [{"email": BEN, "role": "Owner"}, {"email": EVA}],
            "invitations": [{"email": PENDING}, {"email": DECLINED, "status": "DECLINED"}],
        },
        {"name": "Old 4", "members": [{"email": OLIVIA, "role": "Owner"}, {"email": BEN}]},
        {"name": "Doomed", "apiKeys": [{"name": "service"}]},
    ],
}
OLD = ("Old 1", "Old 2", "Old 3")

_ROTATED = re.compile(r".*-\d{8}-[0-9a-f]{6}|.*-\d{4}-\d\d-\d\d-[0-9a-f]{6}")


# What a program has and is told ---------------------------------------------------------------------------------------


@attrs.define
class Told:
    """What a program has of the keys that there are, and what it was told of others, since all was settled.

    Attributes:
        values: The values that it has.
        named: The ids that it was told.
        text: All reasons, messages and notes.
        doubts: How often it was told that there may be something that nobody saw.
    """

    values: set[str] = attrs.field(factory=set, repr=False)
    named: set[int] = attrs.field(factory=set)
    text: str = ""
    doubts: int = 0

    def hear(self, result: Any) -> None:
        """Keep what a job gives, or a part of it."""
        if isinstance(result, Report):
            for outcome in result:
                self.keep(outcome.new_keys)
                self.text += f"\n{outcome.reason or ''}"
                self.hear(outcome.result)
                if outcome.error is not None:
                    self.hear_error(outcome.error)
            if result.stopped_by is not None:
                self.hear_error(result.stopped_by)
        elif isinstance(result, (EnsuredProject, RotatedKey)):
            self.keep(result.new_keys)
            self.hear_of(result)

    def hear_of(self, result: Any) -> None:
        """Keep what is said of keys that the program has not."""
        self.named |= {*result.orphaned_key_ids, *result.duplicate_key_ids, *getattr(result, "unfinished", ())}
        self.doubts += result.may_have_orphaned_key

    def keep(self, keys: Any) -> None:
        self.values |= {key.value for key in keys}

    def hear_error(self, error: BaseException) -> None:
        self.text += "\n".join([f"\n{error}", *getattr(error, "__notes__", ())])
        self.doubts += bool(getattr(error, "outcome_unknown", False))
        self.hear(getattr(error, "partial", None))

    def is_told_of(self, key_id: int, key: Key) -> bool:
        """Whether the program has a key, or knows by its id or its name that there is one which it has not."""
        is_in_text = re.search(rf"\b{key_id}\b", self.text) is not None or repr(key.name) in self.text
        return key.value in self.values or key_id in self.named or is_in_text


# The jobs -------------------------------------------------------------------------------------------------------------


@attrs.frozen
class Change:
    """Something that is not as it was: of a scope, by its kind and id."""

    where: Where
    kind: str
    thing_id: Any
    before: Any
    after: Any


@attrs.frozen
class Job:
    """One call of a job, as a program makes it that may have to make it again.

    Attributes:
        text: The call as a user writes it.
        writes: The operations by which it writes.
        run: Makes the call, with what the program has.
        may_change: Whether a change can be its own, by the state before.
        missing: What it promises and is not so in a state.
        is_marked: Whether nothing came about that is told as not done: by its result or error, and both states.
    """

    text: str
    writes: tuple[str, ...]
    run: Callable[[Program], Awaitable[Any]] = attrs.field(repr=False)
    may_change: Callable[[Change, State], bool] = attrs.field(repr=False)
    missing: Callable[[Program, State], object] = attrs.field(repr=False)
    is_marked: Callable[[Any, State, State], bool] = attrs.field(default=lambda *_: True, repr=False)


@attrs.define
class Program:
    """Who makes the calls: its client, and what it keeps.

    Attributes:
        vault: The id of the key in use, of the organization and of each project.
        old: The ids of the keys that it has had replaced.
    """

    client: ConfidentAI
    told: Told
    projects: dict[str, str]
    people: dict[str, str]
    vault: dict[Where, int]
    old: set[int] = attrs.field(factory=set)

    def at(self, where: Where) -> Any:
        return self.client.organization() if where is None else self.client.project(where)

    def where(self, name: str | None) -> Where:
        return None if name is None else self.projects[name]

    def store(self, made: Any) -> None:
        self.told.keep(made.new_keys)

    def store_rotated(self, made: RotatedKey) -> None:
        self.store(made)
        self.old.add(made.old_key.id)
        self.vault[made.project_id] = made.new_key.id


def _project_named(state: State, name: str) -> str | None:
    return next((each for each, project in state.projects.items() if project.name == name), None)


def _owner(state: State, where: Where) -> str | None:
    owner = state.scopes[where].owner
    return None if owner is None else state.people[owner].email


def _is_new_key(change: Change, *bases: str) -> bool:
    return change.kind == "keys" and change.before is None and change.after.name.startswith(bases)


def _is_deactivated(change: Change) -> bool:
    return change.kind == "keys" and None not in (change.before, change.after) and not change.after.valid


def _may_ensure(wish: DesiredProject, *, reissue: bool = False) -> Callable[[Change, State], bool]:
    def may_change(change: Change, before: State) -> bool:
        was = before.projects.get(change.where or "")
        if change.kind == "project":
            made: Project | None = change.after
            return was is None and made is not None and made.name == wish.name
        if was is None or was.name != wish.name:
            return False
        if change.kind in ("description", "governance"):
            wanted = wish.description if change.kind == "description" else wish.governance_policy
            return wanted is not None and change.after is not None
        if change.kind == "members":
            email = before.people[change.thing_id].email
            return wish.owner is not None and email in (wish.owner, _owner(before, change.where))
        if wish.key is None:
            return False
        if reissue and _is_deactivated(change):
            return bool(change.before.name.startswith(wish.key))
        return _is_new_key(change, wish.key)

    return may_change


def _unmet(wish: DesiredProject) -> Callable[[Program, State], object]:
    def missing(_: Program, state: State) -> object:
        where = _project_named(state, wish.name)
        if where is None:
            return "the project"
        project, scope = state.projects[where], state.scopes[where]
        if wish.description not in (None, project.description):
            return "its description"
        if wish.governance_policy is not None and project.governance is None:
            return "its policy"
        if wish.owner not in (None, _owner(state, where)):
            return "its owner"
        named = [key for key in scope.keys.values() if wish.key is not None and key.name.startswith(wish.key)]
        return None if wish.key is None or any(key.valid for key in named) else "its key"

    return missing


def _told_of_projects(*names: str) -> Callable[[Any, State, State], bool]:
    """No project is there that somebody was told was not made."""

    def is_marked(result: Any, before: State, after: State) -> bool:
        for name in names:
            if _project_named(before, name) is not None or _project_named(after, name) is None:
                continue
            if isinstance(result, Report):
                (row,) = (outcome for outcome in result if outcome.item.name == name)
                if row.is_failure and row.result is None and not getattr(row.error, "outcome_unknown", False):
                    return False
            elif isinstance(result, ConfidentAIError):
                partial = result.partial
                if not result.outcome_unknown and partial is None:
                    return False
        return True

    return is_marked


_ENSURES = ("createProject", "createProjectApiKey", "updateProject", "updateProjectMemberRole")


def ensure(random: Random) -> Job:
    """One project, new or not."""
    # A project that is made without an Owner can get none of who is no member: so a name always goes with the same.
    name, owner = random.choice([("New 1", ADA), ("New 4", None), ("Old 1", ADA), ("Old 1", None)])
    wish = DesiredProject(
        name,
        key=random.choice(["Default Key", "web", "web", None]),
        description=random.choice([None, "Described"]),
        owner=owner,
        governance_policy=random.choice([None, "Baseline"]),
    )
    stores = random.random() < 0.5

    async def run(program: Program) -> Any:
        given: dict[str, Any] = {**attrs.asdict(wish), "store": program.store if stores else None}
        return await done(program.client.projects.ensure(given.pop("name"), **given))

    text = f"projects.ensure({wish!r}, store={stores})"
    return Job(text, _ENSURES, run, _may_ensure(wish), _unmet(wish), _told_of_projects(name))


def reissue(_: Random) -> Job:
    """Another key in the place of a lost one."""
    wish = DesiredProject("Old 2", key="service")

    async def run(program: Program) -> Any:
        def store(made: EnsuredProject) -> None:
            program.store(made)
            program.vault[made.project.id] = made.new_keys[-1].id

        return await done(program.client.projects.ensure(wish.name, key=wish.key, store=store, reissue=True))

    return Job("projects.ensure(reissue=True)", _ENSURES, run, _may_ensure(wish, reissue=True), _unmet(wish))


def ensure_many(random: Random) -> Job:
    """Three projects, of which one may be there."""
    key = random.choice(["service", "Default Key"])
    wishes = [DesiredProject("New 2", key=key, owner=ADA), DesiredProject("New 3", key=key)]
    wishes.append(DesiredProject("Old 1", description="Changed", key="web"))
    stores = random.random() < 0.5

    async def run(program: Program) -> Any:
        return await done(program.client.projects.ensure_many(wishes, store=program.store if stores else None))

    may, unmet = [_may_ensure(wish) for wish in wishes], [_unmet(wish) for wish in wishes]
    return Job(
        f"projects.ensure_many({wishes!r}, store={stores})",
        _ENSURES,
        run,
        lambda change, before: any(each(change, before) for each in may),
        lambda program, state: next(filter(None, (each(program, state) for each in unmet)), None),
        _told_of_projects(*[wish.name for wish in wishes]),
    )


def _is_in_use(program: Program, state: State, where: Where) -> bool:
    key = state.scopes[where].keys.get(program.vault[where])
    return key is not None and key.valid and key.value in program.told.values


def rotate(random: Random) -> Job:
    """The key in use of a project or of the organization, which is that of the client."""
    name = random.choice([None, *OLD])
    mode: Any = random.choice(["disable", "delete", "keep"])

    async def run(program: Program) -> None:
        where = program.where(name)
        program.old.add(program.vault[where])
        rotation = program.at(where).api_keys.rotate(program.vault[where], retire=mode)
        try:
            async with entered(rotation):
                program.told.keep([rotation.new_key])
                program.vault[where] = rotation.new_key.id
        finally:
            with contextlib.suppress(ConfidentAIError):  # it was never entered
                program.told.hear_of(rotation)

    def may_change(change: Change, before: State) -> bool:
        is_there = change.where is None if name is None else _project_named(before, name) == change.where
        return (
            is_there
            and change.kind == "keys"
            and (change.before is None or _is_deactivated(change) or mode == "delete")
        )

    return Job(
        f"api_keys.rotate(of {name}, retire={mode!r})",
        (f"create{'Organization' if name is None else 'Project'}ApiKey",),
        run,
        may_change,
        lambda program, state: None if _is_in_use(program, state, program.where(name)) else "a key in use",
    )


def rotate_keys(random: Random) -> Job:
    """The keys of three projects."""
    mode: Any = random.choice(["disable", "delete", "keep"])
    clean_up = random.choice([None, datetime.timedelta(seconds=20)])

    async def run(program: Program) -> Any:
        return await done(
            program.client.projects.rotate_keys(
                [program.projects[each] for each in OLD],
                key="service",
                store=program.store_rotated,
                retire=mode,
                current=program.vault.get,
                clean_up=clean_up,
            )
        )

    def may_change(change: Change, before: State) -> bool:
        is_there = change.where in [_project_named(before, each) for each in OLD]
        if not is_there or change.kind != "keys":
            return False
        if change.after is None:
            return mode == "delete" or (clean_up is not None and change.before.name != "service")
        return _is_new_key(change, "service") or _is_deactivated(change)

    def missing(program: Program, state: State) -> object:
        return None if all(_is_in_use(program, state, program.where(each)) for each in OLD) else "a key in use"

    text = f"projects.rotate_keys(retire={mode!r}, clean_up={clean_up})"
    return Job(text, ("createProjectApiKey", "updateProjectApiKey", "deleteProjectApiKey"), run, may_change, missing)


def _emails_in(scope: Scope) -> dict[str, Invitation]:
    return {each.email: each for each in scope.invitations.values()}


def invite(random: Random) -> Job:
    """New people, somebody who is invited, somebody who has declined, and a member."""
    name = random.choice([None, "Old 3"])
    replace, update, resend = (random.random() < 0.5 for _ in range(3))
    emails = [*NEW, PENDING, DECLINED, DAN]

    async def run(program: Program) -> Any:
        return await done(
            program.at(program.where(name)).invitations.ensure(
                emails, role="Member", replace=replace, update_members=update, resend=resend
            )
        )

    def may_change(change: Change, before: State) -> bool:
        if change.where != (None if name is None else _project_named(before, name)):
            return False
        if change.kind == "members":
            return update and None not in (change.before, change.after) and before.people[change.thing_id].email == DAN
        if change.kind != "invitations":
            return False
        if change.before is None:
            return change.after.email in emails
        return change.before.email in emails and (replace or change.after is not None)

    def missing(program: Program, state: State) -> object:
        scope = state.scopes[program.where(name)]
        there = {each.email for each in scope.invitations.values() if each.status == "PENDING"}
        there |= {state.people[each].email for each in scope.members}
        return {*emails} - there - ({DECLINED} if not replace else set())

    def is_marked(result: Any, before: State, after: State) -> bool:
        where = None if name is None else _project_named(before, name)
        was, now = _emails_in(before.scopes[where]), _emails_in(after.scopes[where])
        rows = result.outcomes if isinstance(result, Report) else getattr(result, "partial", None) or ()
        return not any(
            row.happened is Happened.NOT_TRIED or (row.is_failure and not getattr(row.error, "outcome_unknown", False))
            for row in rows
            if row.item not in was and row.item in now
        )

    kind = "" if name is None else "Project"
    return Job(
        f"invitations.ensure(at {name}, replace={replace}, update_members={update}, resend={resend})",
        (f"create{kind}Invitations", f"delete{kind}Invitation", f"resend{kind}Invitation"),
        run,
        may_change,
        missing,
        is_marked,
    )


def offboard(_: Random) -> Job:
    """Somebody who owns a project, and is in others."""

    async def run(program: Program) -> Any:
        return await done(program.client.offboard(BEN, transfer_projects_to=EVA, must_exist=False))

    def may_change(change: Change, before: State) -> bool:
        if change.kind != "members":
            return False
        email = before.people[change.thing_id].email
        if email == BEN:
            return True
        return email == EVA and change.where is not None and _owner(before, change.where) == BEN

    def missing(_: Program, state: State) -> object:
        return [
            where
            for where, scope in state.scopes.items()
            if BEN in [*_emails_in(scope), *(state.people[each].email for each in scope.members)]
        ]

    writes = ("removeMember", "removeProjectMember", "updateProjectMemberRole")
    return Job("offboard(BEN, transfer_projects_to=EVA)", writes, run, may_change, missing)


def transfer(_: Random) -> Job:
    """A project, from one to another."""

    async def run(program: Program) -> Any:
        people = program.people
        members = program.client.project(program.projects["Old 2"]).members
        return await done(members.transfer_ownership(people[DAN], expect_current=people[CLEO]))

    def may_change(change: Change, before: State) -> bool:
        is_there = change.where == _project_named(before, "Old 2") and change.kind == "members"
        return is_there and before.people[change.thing_id].email in (DAN, CLEO)

    def missing(program: Program, state: State) -> object:
        return None if _owner(state, program.projects["Old 2"]) == DAN else "the owner"

    return Job("members.transfer_ownership()", ("updateProjectMemberRole",), run, may_change, missing)


def delete(_: Random) -> Job:
    """A project, by its name."""

    async def run(program: Program) -> Any:
        found = await done(program.client.projects.find("Doomed"))
        return None if found is None else await done(program.client.project(found.id).delete(expect_name="Doomed"))

    def may_change(change: Change, before: State) -> bool:
        return change.kind == "project" and change.after is None and change.before.name == "Doomed"

    def missing(_: Program, state: State) -> object:
        return _project_named(state, "Doomed")

    return Job("project.delete(expect_name='Doomed')", ("deleteProject",), run, may_change, missing)


_KEY_JOBS = (ensure, ensure_many, rotate, rotate_keys, reissue)
_jobs: Chance[Job] = one_of(*[*_KEY_JOBS] * 2, ensure, rotate, invite, invite, offboard, transfer, delete)


# What is drawn --------------------------------------------------------------------------------------------------------


@attrs.frozen
class Accident:
    """A fault at one request of a job.

    Attributes:
        at: Which of the job's writes, by a number that is counted round; -1 for any request.
        nth: The first such request that meets it, and ``times`` how many do.
    """

    fault: faults.Fault
    at: int
    nth: int = 1
    times: int = 1


@attrs.frozen
class Turn:
    """A job, what happens to its requests, and whether all is settled before the next one."""

    job: Job
    accidents: tuple[Accident, ...] = ()
    is_settled: bool = True


@attrs.frozen
class Schedule:
    """Jobs in a row, and what the server is like."""

    turns: tuple[Turn, ...]
    limit: faults.RateLimit | None = None
    stale: faults.Stale | None = None
    outage: faults.Fault | None = None
    outage_seed: int = 0
    seed: str = attrs.field(default="", repr=False)

    @property
    def hangs(self) -> bool:
        met = [accident.fault for turn in self.turns for accident in turn.accidents]
        return any(isinstance(getattr(fault, "meanwhile", fault), faults.Hang) for fault in met)


_accident = one_of(
    # At the first write of a kind, which is where most can go wrong.
    *[built(Accident, job_accidents, sampled(0, 0, 0, 1, 2), sampled(1, 1, 2), sampled(1, 1, 2))] * 3,
    built(Accident, job_accidents, just(-1), sampled(*range(1, 16)), sampled(1, 1, 3)),
)
_turn = built(
    Turn, _jobs, one_of(just(()), several(_accident, 1, 1), several(_accident, 1, 3)), sampled(True, True, False)
)
_outage = one_of(*[just(None)] * 7, outages)
_schedule = built(
    Schedule, several(_turn, 1, 4), limit=limits, stale=stales, outage=_outage, outage_seed=sampled(*range(1000))
)


_BY_CHANCE = Random(0)
_PLAIN = (
    # Twenty requests and more, of which each that is refused has to wait for half a minute.
    Schedule((Turn(rotate_keys(_BY_CHANCE)), Turn(ensure_many(_BY_CHANCE))), limit=faults.RateLimit(2, 1, 30)),
    Schedule(
        (Turn(invite(_BY_CHANCE)), Turn(rotate_keys(_BY_CHANCE)), Turn(offboard(_BY_CHANCE))), stale=faults.Stale(4)
    ),
    # A key is made after the last look.
    Schedule((Turn(ensure_many(_BY_CHANCE), (Accident(faults.Late(20), 1),)),)),
)
#: Whatever chance chooses, each of the three things that a server may be like is in one of these.
NO_CHANCE = tuple(attrs.evolve(schedule, seed=f"plain-{number}") for number, schedule in enumerate(_PLAIN, 1))


def job_schedules() -> st.SearchStrategy[Schedule]:
    """What is to be played: anything, or what `MODEL_SEED` says."""

    def make(seed: bytes) -> Schedule:
        return attrs.evolve(_schedule(Random(seed)), seed=seed.hex())

    again = os.environ.get("MODEL_SEED")
    if again is not None:
        plain = {schedule.seed: schedule for schedule in NO_CHANCE}
        return st.just(plain[again] if again in plain else make(bytes.fromhex(again)))
    return st.binary(min_size=8, max_size=8).map(make)


def simpler(schedule: Schedule) -> Iterator[Schedule]:
    """The schedule with something left out, in every way in which that can be."""
    turns = schedule.turns
    for index, turn in enumerate(turns):
        others: list[tuple[Turn, ...]] = [()] if len(turns) > 1 else []
        for place in range(len(turn.accidents)):
            rest = (*turn.accidents[:place], *turn.accidents[place + 1 :])
            others.append((attrs.evolve(turn, accidents=rest),))
        if not turn.is_settled:
            others.append((attrs.evolve(turn, is_settled=True),))
        yield from (attrs.evolve(schedule, turns=(*turns[:index], *other, *turns[index + 1 :])) for other in others)
    usual: dict[str, Any] = {"limit": None, "stale": None, "outage": None}
    for name, value in usual.items():
        if getattr(schedule, name) != value:
            yield attrs.evolve(schedule, **{name: value})


# What comes of it -----------------------------------------------------------------------------------------------------


class Violation(AssertionError):  # noqa: N818 - what is said by it is said of the client
    """Something that may not be true is."""


@attrs.define(repr=False)
class JobTally:
    """What was done in a run.

    Attributes:
        named: Keys that nobody has, and that were named.
        unseen: Keys that nobody has, and that there was a doubt about.
        late: Requests whose work was done late.
        limited: Requests that a rate limit refused.
        lagging: Reads that lagged.
    """

    schedules: int = 0
    jobs: int = 0
    requests: int = 0
    failed: int = 0
    named: int = 0
    unseen: int = 0
    late: int = 0
    limited: int = 0
    lagging: int = 0
    accidents: Counter[str] = attrs.Factory(Counter)

    def lines(self) -> Iterator[str]:
        yield f"{self.schedules} schedules, {self.jobs} jobs, of which {self.failed} failed, {self.requests} requests"
        yield f"refused by a limit: {self.limited}; reads that lagged: {self.lagging}; work done late: {self.late}"
        yield f"faults met: {', '.join(f'{name} {n}' for name, n in sorted(self.accidents.items()))}"
        yield f"keys that nobody has: {self.named} named, {self.unseen} in doubt"


def play_jobs(
    emulator: Emulator, face: type[ConfidentAI], schedule: Schedule, tally: JobTally, *, simplify: bool = True
) -> None:
    """Play a schedule from the first state on.

    Raises:
        Violation: Something is true that may not be, in the simplest schedule that was found to go wrong.
    """
    violation = _try(emulator, face, schedule, tally)
    if violation is None:
        return
    end = time.monotonic() + PATIENCE
    candidates = simpler(schedule) if simplify else iter(())
    while (candidate := next(candidates, None)) is not None and time.monotonic() < end:
        found = _try(emulator, face, candidate, JobTally())
        if found is not None:
            violation, schedule = found, candidate
            candidates = simpler(schedule)
    again = f"To play this one again: MODEL_SEED={schedule.seed} pytest tests/model/test_job_schedules.py"
    raise Violation(f"{violation}\n{schedule!r}\n{again}") from violation.__cause__


def _try(emulator: Emulator, face: type[ConfidentAI], schedule: Schedule, tally: JobTally) -> Violation | None:
    game = _Game(emulator, face, schedule, tally)
    try:
        asyncio.run(game.play())
    except Violation as violation:
        told = Violation("\n".join([str(violation), *game.story, *game.requests()]))
        told.__cause__ = violation.__cause__
        return told
    return None


class _Game:
    def __init__(self, emulator: Emulator, face: type[ConfidentAI], schedule: Schedule, tally: JobTally) -> None:
        emulator.reset()
        emulator.clock.advance(SETTLED)
        self.emulator = emulator
        self.face = face
        self.schedule = schedule
        self.tally = tally
        self.story: list[str] = []
        self.answers: list[tuple[Entry, bytes]] = []
        self.state = look(emulator)  # when all was settled
        self.group: list[Job] = []  # the jobs since then
        self.has_accidents = False  # whether something may have happened to one of them that happens once
        self.told = Told(self.state.secrets)

    def requests(self) -> list[str]:
        """The requests that came, for a message."""
        return [
            f"  {call.operation} {dict(call.ids)} -> {call.status}"
            f"{' (done)' if call.changed_state else ''}{' (stale)' if call.stale else ''}"
            f"{'' if call.fault is None else f' {call.fault.fault}'}"
            for call in self.emulator.calls
        ]

    def require(self, condition: object, message: str) -> None:
        if not condition:
            raise Violation(message)

    async def play(self) -> None:
        self.tally.schedules += 1
        timeout = Timeout(read=SHORT_READ) if self.schedule.hangs else Timeout()
        client = self.face(OWN_KEY, base_url=self.emulator.url, clock=self.emulator.clock, timeout=timeout)
        with self.overheard():
            async with opened(client) as opened_client:
                program = self.program(opened_client)
                for turn in self.schedule.turns:
                    await self.turn(program, turn)
                self.settle(program)
                for turn in self.schedule.turns:
                    await self.again(program, turn.job)
        self.count()

    def program(self, client: ConfidentAI) -> Program:
        state = self.state
        vault: dict[Where, int] = {
            where: key_id
            for where, scope in state.scopes.items()
            for key_id, key in scope.keys.items()
            if key.name == "service" or key.value == OWN_KEY
        }
        projects = {project.name: each for each, project in state.projects.items()}
        people = {person.email: each for each, person in state.people.items()}
        return Program(client, self.told, projects, people, vault)

    @contextlib.contextmanager
    def overheard(self) -> Iterator[None]:
        """Keep what the API itself answers, before a fault spoils it."""
        app: Any = self.emulator._app
        receive = app._receive

        async def listen(*given: Any) -> Callable[[], Any]:
            work = await receive(*given)
            entry = next(each for each in given if isinstance(each, Entry))

            def answer() -> Any:
                response = work()
                self.answers.append((entry, bytes(response.body)))
                return response

            return answer

        app._receive = listen
        try:
            yield
        finally:
            del app._receive

    # Playing:

    async def turn(self, program: Program, turn: Turn) -> None:
        job = turn.job
        is_first = not self.group
        self.group.append(job)
        self.has_accidents = bool((not is_first and self.has_accidents) or turn.accidents or self.schedule.outage)
        self.bring_on(turn)
        result = await self.run(program, job)
        self.emulator.faults.clear()
        is_done = not isinstance(result, BaseException) and not (isinstance(result, Report) and result.failures)
        self.tally.jobs += 1
        self.tally.failed += not is_done
        self.require(is_done or self.has_accidents, f"it failed where nothing is lost and nothing broken: {result!r}")
        if is_done and is_first:
            missing = job.missing(program, look(self.emulator))
            self.require(not missing, f"it said that all was done, and there is missing: {missing}")
        if turn.is_settled:
            before = self.state
            self.settle(program)
            if is_first:
                self.require(job.is_marked(result, before, self.state), f"something was told as not done: {result!r}")

    async def again(self, program: Program, job: Job) -> None:
        """The same job, now that the server is well."""
        self.group.append(job)
        self.story.append("again:")
        result = await self.run(program, job)
        if isinstance(result, BaseException) or (isinstance(result, Report) and result.failures):
            raise Violation(f"it failed on a server that was well again: {result!r}")
        missing = job.missing(program, look(self.emulator))
        self.require(not missing, f"a second run left something undone: {missing}")
        self.settle(program)

    def bring_on(self, turn: Turn) -> None:
        scripted = self.emulator.faults
        for lasting in (self.schedule.limit, self.schedule.stale):
            if lasting is not None:
                scripted.add("*", lasting)
        for each in turn.accidents:
            where = "*" if each.at < 0 else turn.job.writes[each.at % len(turn.job.writes)]
            scripted.add(where, each.fault, nth=each.nth, times=each.times)
        if self.schedule.outage is not None:
            scripted.add("*", self.schedule.outage, probability=0.2, seed=self.schedule.outage_seed)

    async def run(self, program: Program, job: Job) -> Any:
        self.story.append(job.text)
        result: Any
        try:
            result = await job.run(program)
        except (ConfidentAIError, PartialFailureError, UnexpectedStateError) as error:
            result = error
            self.told.hear_error(error)
        else:
            self.told.hear(result)
        self.story.append(f"  -> {type(result).__name__}: {result}")
        return result

    def settle(self, program: Program) -> None:
        """Let all that is late come about, and look whether it is as it may be."""
        self.emulator.faults.clear()
        self.emulator.clock.advance(SETTLED)
        state = look(self.emulator)
        self.check_secrets(state)
        self.check_changes(state)
        self.check_keys_in_use(program, state)
        self.state, self.group = state, []
        self.told.doubts, self.told.text, self.told.named = 0, "", set()
        self.answers.clear()

    def check_secrets(self, state: State) -> None:
        """No secret that came is lost, and no key that did not come is untold."""
        for entry, body in self.answers:
            call = entry.call
            if self.schedule.hangs or call.fault is not None or call.status != 200:
                continue
            if call.operation is not None and re.fullmatch("create(Project|.*ApiKey)", call.operation):
                data = json.loads(body)["data"]
                key = data.get("apiKey", data)
                self.require(key["value"] in self.told.values, f"API key {key['id']} was answered, and is lost")
        untold = []
        for where, scope in state.scopes.items():
            known = self.state.scopes[where].keys if where in self.state.scopes else {}
            for key_id, key in scope.keys.items():
                if key_id in known or key.value in self.told.values:
                    continue
                if self.told.is_told_of(key_id, key):
                    self.tally.named += 1
                else:
                    untold.append(f"{key_id} {key.name!r}")
        self.tally.unseen += len(untold)
        self.require(
            len(untold) <= self.told.doubts, f"nobody was told of {untold}, and there were {self.told.doubts} doubts"
        )

    def check_changes(self, state: State) -> None:
        """Nothing has changed but what these jobs may change."""
        for change in _changes(self.state, state):
            self.require(
                any(job.may_change(change, self.state) for job in self.group),
                f"this is nobody's to change: {change}",
            )

    def check_keys_in_use(self, program: Program, state: State) -> None:
        """Each key that a program goes by is valid, and it has the secret."""
        for where in program.vault:
            if where in state.scopes:
                self.require(_is_in_use(program, state, where), f"the key in use of {where} is gone")

    def count(self) -> None:
        for call in self.emulator.calls:
            self.tally.requests += 1
            self.tally.lagging += call.stale is not None
            if call.fault is not None:
                fault = call.fault.fault
                self.tally.late += isinstance(fault, faults.Late) and call.changed_state
                self.tally.limited += isinstance(fault, faults.RateLimit)
                self.tally.accidents[type(fault).__name__] += 1


def _changes(before: State, after: State) -> Iterator[Change]:
    for project_id in before.projects | after.projects:
        was, now = before.projects.get(project_id), after.projects.get(project_id)
        if was is None or now is None:
            yield Change(project_id, "project", project_id, was, now)
        else:
            for kind in ("name", "description", "governance"):
                one, other = getattr(was, kind), getattr(now, kind)
                if one != other:
                    yield Change(project_id, kind, project_id, one, other)
    for where, scope in after.scopes.items():
        # What a new project has is the model's own subject.
        old = before.scopes.get(where)
        if old is None:
            continue
        for kind in ("keys", "members", "invitations", "policies", "roles"):
            one, other = getattr(old, kind), getattr(scope, kind)
            for each in one | other:
                # A member may have the role None.
                if (each in one) != (each in other) or one.get(each) != other.get(each):
                    yield Change(where, kind, each, one.get(each), other.get(each))
