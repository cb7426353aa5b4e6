"""The jobs that make projects and keys, behind reads that lag and after answers that are lost, or come true late."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import attrs
import pytest

from confidentai_admin import APIConnectionError, ConfidentAI, DesiredProject, EnsuredProject, RotatedKey
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done, opened
from .key_watch import entered, keys_in, notes_of, valid_in
from .meanwhile import before

NAMES = ["Tenant 1", "Tenant 2"]
OLIVIA, ADA = "olivia@acme.example", "ada@acme.example"
SEED = {
    "members": [{"email": OLIVIA, "role": "Owner"}, {"email": ADA}],
    "governancePolicies": [{"name": "Baseline"}],
    "apiKeys": [{"name": "Nightly"}],
    "projects": [
        {"name": "Old 1", "apiKeys": [{"name": "service"}]},
        {"name": "Old 2", "apiKeys": [{"name": "service"}]},
    ],
}


@pytest.fixture
def emulator() -> Any:
    """An emulator with a key of the organization, and two projects with one each."""
    with Emulator(seed=SEED) as emulator:
        yield emulator


@attrs.define
class Held:
    """What a program has of the keys that a job made, and what it was told of others.

    Attributes:
        values: The values that it has, by id.
        named: The ids that it was told.
        may_be_more: Whether it was told that there may be another one.
    """

    values: dict[int, str] = attrs.field(factory=dict)
    named: set[int] = attrs.field(factory=set)
    may_be_more: bool = False

    def store(self, made: EnsuredProject | RotatedKey) -> None:
        """Keep the keys."""
        self.values |= {key.id: key.value for key in made.new_keys}

    def hear(self, made: EnsuredProject | RotatedKey | Any) -> None:
        """Keep the keys, and what is said of others."""
        self.store(made)
        self.named |= {*made.orphaned_key_ids, *made.duplicate_key_ids}
        self.may_be_more = made.may_have_orphaned_key


Job = Callable[[ConfidentAI, Held], Awaitable[None]]


def ensure(**wanted: Any) -> Job:
    """A project, as it is wanted."""

    async def job(client: ConfidentAI, held: Held) -> None:
        held.hear(await done(client.projects.ensure(**wanted)))

    return job


async def reissue(client: ConfidentAI, held: Held) -> None:
    """Another key in the place of a lost one."""
    held.hear(await done(client.projects.ensure("Old 1", key="service", reissue=True, store=held.store)))


async def ensure_many(client: ConfidentAI, held: Held) -> None:
    """Two new projects with a key each, and one that is there."""
    wishes = [DesiredProject(name, key="service", owner=ADA) for name in NAMES]
    report = await done(client.projects.ensure_many([*wishes, DesiredProject("Old 1", description="Changed")]))
    report.raise_for_failures()
    for outcome in report:
        assert outcome.result is not None
        held.hear(outcome.result)


async def rotate(client: ConfidentAI, held: Held) -> None:
    """The key of a project."""
    project = (await done(client.projects.list()))[0]
    keys = await done(client.project(project.id).api_keys.list())
    old = next(key for key in keys if key.valid and key.name != "Default Key")
    rotation = client.project(project.id).api_keys.rotate(old.id)
    async with entered(rotation):
        held.values[rotation.new_key.id] = rotation.new_key.value
    assert (rotation.orphaned_key_ids, rotation.duplicate_key_ids) == ([], [])
    held.may_be_more = rotation.may_have_orphaned_key


async def rotate_own(client: ConfidentAI, held: Held) -> None:
    """The key of the client itself."""
    old = next(key for key in await done(client.organization().api_keys.list()) if key.valid and key.name != "Nightly")
    rotation = client.organization().api_keys.rotate(old.id)
    async with entered(rotation):
        held.values[rotation.new_key.id] = rotation.new_key.value
    assert (rotation.orphaned_key_ids, rotation.duplicate_key_ids) == ([], [])
    held.may_be_more = rotation.may_have_orphaned_key


async def rotate_keys(client: ConfidentAI, held: Held) -> None:
    """The keys of two projects."""
    ids = [project.id for project in await done(client.projects.list())]
    report = await done(client.projects.rotate_keys(ids, key="service", store=held.store))
    report.raise_for_failures()
    for outcome in report:
        assert outcome.result is not None
        assert outcome.result.orphaned_key_ids == []
        held.hear(outcome.result)


ENSURING: dict[str, Job] = {
    "ensure": ensure(name=NAMES[0]),
    "ensure, first key": ensure(name=NAMES[0], key="Default Key"),
    "ensure, with all": ensure(
        name=NAMES[0], description="Mine", owner=ADA, governance_policy="Baseline", key="service"
    ),
    "ensure, another key": ensure(name="Old 1", key="web"),
    "ensure_many": ensure_many,
}
REPLACING: dict[str, Job] = {
    "reissue": reissue,
    "rotate": rotate,
    "rotate the client's own": rotate_own,
    "rotate_keys": rotate_keys,
}
JOBS = ENSURING | REPLACING

#: What happens to the first request that makes something of a kind.
LOSSES: dict[str, faults.Fault | None] = {
    "no loss": None,
    "lost": faults.Drop(after_work=True),
    "late": faults.Late(2),
}
#: How far the reads lag.
STALE: dict[str, faults.Stale | None] = {
    "no reads": None,
    "listings by 1 s": faults.Stale(1),
    "all reads by 4 s": faults.Stale(4, by_id=True),
}
#: How many requests a second a gateway lets through beside that: the first for some lags, all of them in ``deep``.
RATES = [10, pytest.param(2, marks=pytest.mark.deep), pytest.param(50, marks=pytest.mark.deep)]
MORE_STALE: dict[str, faults.Stale | None] = {
    "all reads by 1 s": faults.Stale(1, by_id=True),
    "listings by 4 s": faults.Stale(4),
}
each_lag = pytest.mark.parametrize(
    "lags", [STALE, pytest.param(MORE_STALE, marks=pytest.mark.deep)], ids=["some lags", "other lags"]
)


def keys_now(emulator: Emulator) -> dict[int, str]:
    """The values of all keys that there are, by id."""
    places = [None, *emulator._app._world.projects]
    return {key_id: key.value for place in places for key_id, key in keys_in(emulator, place).items()}


def valid_now(emulator: Emulator) -> dict[int, str]:
    """The values of those that are valid."""
    places = [None, *emulator._app._world.projects]
    return {key_id: value for place in places for key_id, value in valid_in(emulator, place).items()}


@each_lag
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", JOBS)
async def test_no_key_is_lost_or_made_twice(
    name: str, loss: str, lags: dict[str, faults.Stale | None], face: type[ConfidentAI], emulator: Emulator
) -> None:
    """However far reads lag, and when the lost requests are done, each key is held or named; the next run agrees."""
    for lag, stale in lags.items():
        await _play(name, LOSSES[loss], stale, None, face, emulator, lag)


@pytest.mark.parametrize("per_second", RATES)
@pytest.mark.parametrize("name", JOBS)
async def test_no_key_is_lost_behind_a_rate_limit_as_well(
    name: str, per_second: float, face: type[ConfidentAI], emulator: Emulator
) -> None:
    """Nor where reads lag, lost requests are done late, and few requests a second get through, all at once."""
    await _play(name, faults.Late(2), faults.Stale(4, by_id=True), per_second, face, emulator, "all at once")


async def _play(
    name: str,
    fault: faults.Fault | None,
    stale: faults.Stale | None,
    per_second: float | None,
    face: type[ConfidentAI],
    emulator: Emulator,
    lag: str,
) -> None:
    emulator.reset()
    before = keys_now(emulator)
    if per_second is not None:
        emulator.faults.add("*", faults.RateLimit(per_second))
    if stale is not None:
        emulator.faults.add("*", stale)
    if fault is not None:
        for place in ("POST /v1/projects", "POST */api-keys"):
            emulator.faults.add(place, fault)
    held = Held()
    async with opened(face(emulator.api_key, base_url=emulator.url, clock=emulator.clock)) as client:
        await JOBS[name](client, held)
        assert fault is None or any(call.fault for call in emulator.writes)
        emulator.faults.clear()
        emulator.clock.advance(60)
        _assert_all_is_well(name, emulator, before, held, lag)
        made = keys_now(emulator).keys()
        await JOBS[name](client, held)
    _assert_all_is_well(name, emulator, before, held, lag)
    if name in ENSURING:
        assert keys_now(emulator).keys() == made, lag


def _assert_all_is_well(name: str, emulator: Emulator, before: dict[int, str], held: Held, lag: str) -> None:
    valid = valid_now(emulator)
    new = valid.keys() - before.keys()
    assert new <= held.values.keys() | held.named, lag
    assert not held.may_be_more, lag  # no request is later than the last look
    assert {key_id: value for key_id, value in valid.items() if key_id in held.values}.items() <= held.values.items()
    if name in REPLACING:
        assert new <= held.values.keys(), lag  # what was lost had a name of its own, and was deleted
        assert len(valid) == len(before), lag  # each old key was retired for one new
    names = [project.name for project in emulator._app._world.projects.values()]
    assert len(names) == len(set(names)), lag


# What is later than the look ------------------------------------------------------------------------------------------

#: Later than the looks for it, which take 5 seconds, and before the end of a job whose ``store`` takes a while.
LATER = faults.Late(8)
#: Later than the job.
MUCH_LATER = faults.Late(3600)


def slow_store(emulator: Emulator, held: Held) -> Callable[[EnsuredProject | RotatedKey], None]:
    """A vault that takes ten seconds."""

    def store(made: EnsuredProject | RotatedKey) -> None:
        held.store(made)
        emulator.clock.advance(10)

    return store


def valid_names(emulator: Emulator, project: str) -> list[str]:
    """The names of the valid keys of a project."""
    return [key.name for key in keys_in(emulator, project_id_of(emulator, project)).values() if key.valid]


def project_id_of(emulator: Emulator, name: str) -> str:
    """The id of the project of a name."""
    (found,) = [project.id for project in emulator._app._world.projects.values() if project.name == name]
    return found


async def test_a_key_that_is_made_after_the_look_is_named_at_the_end(client: ConfidentAI, emulator: Emulator) -> None:
    """The lost key comes while the second one is stored: the last look names it, and nothing more may be there."""
    emulator.faults.add("createProjectApiKey", LATER)
    ensured = await done(client.projects.ensure("Old 1", key="web", store=slow_store(emulator, Held())))
    (orphan,) = ensured.orphaned_key_ids
    assert keys_in(emulator, ensured.project.id)[orphan].name == "web"
    assert (ensured.may_have_orphaned_key, ensured.duplicate_key_ids) == (False, [])
    assert len(ensured.new_keys) == 1


async def test_a_key_that_is_made_after_the_look_is_deleted_at_the_end_of_a_reissue(
    client: ConfidentAI, emulator: Emulator
) -> None:
    """The lost key comes while the second one is stored: its name is the rotation's own, and it is deleted."""
    held = Held()
    emulator.faults.add("createProjectApiKey", LATER)
    store = slow_store(emulator, held)
    ensured = await done(client.projects.ensure("Old 1", key="service", reissue=True, store=store))
    assert (ensured.orphaned_key_ids, ensured.may_have_orphaned_key, ensured.duplicate_key_ids) == ([], False, [])
    assert [name for name in valid_names(emulator, "Old 1") if name != "Default Key"] == [ensured.new_keys[0].name]
    assert [call.status for call in emulator.sent("deleteProjectApiKey")] == [200]


async def test_a_key_that_is_made_after_the_look_is_deleted_at_the_end_of_a_rotation(
    client: ConfidentAI, emulator: Emulator
) -> None:
    """In the block it is said that there may be a key; at the end it is found and deleted, and there is none."""
    old = next(key for key in await done(client.organization().api_keys.list()) if key.name == "Nightly")
    emulator.faults.add("createOrganizationApiKey", LATER)
    before = keys_in(emulator).keys()
    rotation = client.organization().api_keys.rotate(old.id)
    told = []
    async with entered(rotation):
        told.append(rotation.may_have_orphaned_key)
        emulator.clock.advance(10)
    told.append(rotation.may_have_orphaned_key)
    assert told == [True, False]
    assert keys_in(emulator).keys() == before | {rotation.new_key.id}


async def test_a_discarded_rotation_deletes_what_came_late(client: ConfidentAI, emulator: Emulator) -> None:
    """`discard` leaves the old key alone, and neither the new one nor the lost one."""
    old = next(key for key in await done(client.organization().api_keys.list()) if key.name == "Nightly")
    emulator.faults.add("createOrganizationApiKey", LATER)
    before = keys_in(emulator).keys()
    async with entered(client.organization().api_keys.rotate(old.id)) as rotation:
        emulator.clock.advance(10)
        await done(cast(object, rotation.discard()))
    assert keys_in(emulator).keys() == before


async def test_a_late_key_that_cannot_be_deleted_is_named(client: ConfidentAI, emulator: Emulator) -> None:
    """The old key is replaced all the same; the result and the reason name the key, and so does the next rotation."""
    project_id = project_id_of(emulator, "Old 1")
    held = Held()
    emulator.faults.add("createProjectApiKey", LATER)
    emulator.faults.add("deleteProjectApiKey", faults.Answer(403))
    store = slow_store(emulator, held)
    (outcome,) = await done(client.projects.rotate_keys([project_id], key="service", store=store))
    assert outcome.result is not None
    (orphan,) = outcome.result.orphaned_key_ids
    assert not outcome.result.may_have_orphaned_key
    assert f"nobody has API key {orphan}" in str(outcome.reason)
    # It may have been made before the one that is in use now.
    with emulator._app._lock:
        keys = keys_in(emulator, project_id)
        keys[orphan].created_at = keys[outcome.result.old_key.id].created_at
    async with entered(client.project(project_id).api_keys.rotate(outcome.result.new_key.id)) as rotation:
        assert rotation.unfinished == [orphan]


@pytest.mark.parametrize("fault", [faults.Drop(), MUCH_LATER], ids=["never", "after the job"])
async def test_a_key_that_is_never_seen_is_told(fault: faults.Fault, client: ConfidentAI, emulator: Emulator) -> None:
    """Where nothing is seen of a lost key, each job says that there may be one, and the next look finds what came."""
    emulator.faults.add("createProjectApiKey", fault)
    ensured = await done(client.projects.ensure("Old 1", key="web"))
    assert (ensured.may_have_orphaned_key, ensured.orphaned_key_ids) == (True, [])

    emulator.faults.add("createProjectApiKey", fault)
    ensured = await done(client.projects.ensure("Old 1", key="web", reissue=True, store=Held().store))
    assert (ensured.may_have_orphaned_key, ensured.orphaned_key_ids) == (True, [])

    project_id = project_id_of(emulator, "Old 2")
    emulator.faults.add("createProjectApiKey", fault)
    (outcome,) = await done(client.projects.rotate_keys([project_id], key="service", store=Held().store))
    assert outcome.result is not None
    assert (outcome.result.may_have_orphaned_key, outcome.result.orphaned_key_ids) == (True, [])
    (lost,) = [str(call.body["name"]) for call in emulator.sent("createProjectApiKey")[-2:-1]]
    assert f"there may be a new API key {lost!r} now" in str(outcome.reason)
    emulator.clock.advance(3600)
    async with entered(client.project(project_id).api_keys.rotate(outcome.result.new_key.id)) as rotation:
        unfinished = [keys_in(emulator, project_id)[key_id].name for key_id in rotation.unfinished]
        assert unfinished == ([] if fault == faults.Drop() else [lost])
        assert not rotation.may_have_orphaned_key


async def test_another_programs_key_is_not_taken_for_a_lost_one(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reissue asks for names of its own: a key of the plain name is a duplicate, also where an answer was lost."""
    project_id = project_id_of(emulator, "Old 1")
    theirs: list[int] = []
    before(
        monkeypatch,
        emulator,
        "createProjectApiKey",
        lambda other: theirs.append(other.project(project_id).api_keys.create("service").id),
        nth=2,
    )
    emulator.faults.add("createProjectApiKey", faults.Drop())
    ensured = await done(client.projects.ensure("Old 1", key="service", reissue=True, store=Held().store))
    assert (ensured.duplicate_key_ids, ensured.orphaned_key_ids) == (theirs, [])
    assert ensured.may_have_orphaned_key


async def test_a_block_that_fails_names_the_key_that_may_be_there(client: ConfidentAI, emulator: Emulator) -> None:
    """The note on the block's error has the name of the key whose answer was lost."""
    project_id = project_id_of(emulator, "Old 1")
    old = min(keys_in(emulator, project_id))
    emulator.faults.add("createProjectApiKey", MUCH_LATER)
    with pytest.raises(OSError, match="sealed") as caught:
        async with entered(client.project(project_id).api_keys.rotate(old)):
            raise OSError("the vault is sealed")
    lost = emulator.sent("createProjectApiKey")[0].body["name"]
    assert f"there may be a new API key {lost!r} now" in notes_of(caught.value)


async def test_a_rotation_that_is_lost_twice_names_both_keys(client: ConfidentAI, emulator: Emulator) -> None:
    """The error says that the outcome is unknown, and its note has the names by which to look."""
    project_id = project_id_of(emulator, "Old 1")
    emulator.faults.add("createProjectApiKey", MUCH_LATER, times=2)
    with pytest.raises(APIConnectionError) as caught:
        async with entered(client.project(project_id).api_keys.rotate(min(keys_in(emulator, project_id)))):
            raise AssertionError
    assert caught.value.outcome_unknown
    for call in emulator.sent("createProjectApiKey"):
        assert repr(call.body["name"]) in notes_of(caught.value)


# Projects, whose names are unique -------------------------------------------------------------------------------------


async def test_a_project_that_comes_before_the_second_attempt(client: ConfidentAI, emulator: Emulator) -> None:
    """The second attempt meets a conflict with the first: the project is adopted, and its first key named."""
    emulator.faults.add("*", faults.Stale(4))
    emulator.faults.add("createProject", faults.Late(2))
    ensured = await done(client.projects.ensure(NAMES[0]))
    assert [call.status for call in emulator.sent("createProject")] == [None, 409]
    assert (ensured.created, ensured.recovered, ensured.may_have_orphaned_key) == (True, True, False)
    keys = keys_in(emulator, ensured.project.id)
    assert [keys[key_id].name for key_id in ensured.orphaned_key_ids] == ["Default Key"]
    assert keys.keys() == {*ensured.orphaned_key_ids, *(key.id for key in ensured.new_keys)}


async def test_a_project_that_comes_after_the_second_attempt(client: ConfidentAI, emulator: Emulator) -> None:
    """The first attempt is refused, whenever it comes: there is one project, with one key, and that one is ours."""
    emulator.faults.add("createProject", MUCH_LATER)
    ensured = await done(client.projects.ensure(NAMES[0]))
    emulator.clock.advance(3600)
    assert [call.changed_state for call in emulator.sent("createProject")] == [False, True]
    assert (ensured.created, ensured.recovered, ensured.may_have_orphaned_key) == (True, False, False)
    assert valid_in(emulator, ensured.project.id) == {key.id: key.value for key in ensured.new_keys}


async def test_a_project_that_is_lost_twice(client: ConfidentAI, emulator: Emulator) -> None:
    """Nothing is seen of either: the error says that there may be one, and the next run adopts what came."""
    emulator.faults.add("createProject", MUCH_LATER, times=2)
    with pytest.raises(APIConnectionError) as caught:
        await done(client.projects.ensure(NAMES[0]))
    assert caught.value.outcome_unknown
    assert f"There may be a project {NAMES[0]!r} now, with a key that nobody has." in notes_of(caught.value)
    emulator.clock.advance(3600)
    ensured = await done(client.projects.ensure(NAMES[0]))
    assert not ensured.created
    assert len(emulator.sent("createProject")) == 2


async def test_a_first_key_that_is_not_listed_is_told(client: ConfidentAI, emulator: Emulator) -> None:
    """The project is recovered, and its keys lag longer than is waited: the result says that there may be one."""
    emulator.faults.add("listProjectApiKeys", faults.Stale(60))
    emulator.faults.add("createProject", faults.Drop(after_work=True))
    ensured = await done(client.projects.ensure(NAMES[0], key="Default Key"))
    assert (ensured.recovered, ensured.orphaned_key_ids, ensured.may_have_orphaned_key) == (True, [], True)
    assert len(valid_in(emulator, ensured.project.id)) == 2


async def test_a_first_key_that_is_gone_is_not_taken_for_another(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest key of a recovered project is its first one, unless it is the one that this call made."""

    def delete(other: ConfidentAI) -> None:
        keys = other.project(project_id_of(emulator, NAMES[0])).api_keys
        keys.delete(keys.list()[0].id)

    emulator.faults.add("createProject", faults.Drop(after_work=True))
    before(monkeypatch, emulator, "listProjectApiKeys", delete)
    ensured = await done(client.projects.ensure(NAMES[0], key="web"))
    assert (ensured.recovered, ensured.orphaned_key_ids) == (True, [])
    assert valid_in(emulator, ensured.project.id) == {key.id: key.value for key in ensured.new_keys}


async def test_a_new_project_that_no_read_knows_yet(client: ConfidentAI, emulator: Emulator) -> None:
    """What is read of a project that was just recovered is not there for a moment: it is read again."""
    policy = (await done(client.organization().governance.policies.list()))[0].name
    emulator.faults.add("createProject", faults.Drop(after_work=True))
    for operation in ("listProjectApiKeys", "getProject", "listProjectMembers"):
        emulator.faults.add(operation, faults.Answer(404), times=2)
    ensured = await done(client.projects.ensure(NAMES[0], key="web", owner=ADA, governance_policy=policy))
    assert (ensured.recovered, len(ensured.orphaned_key_ids)) == (True, 1)
    assert not emulator.faults.unused


async def test_somebody_elses_project_that_is_not_listed_yet(client: ConfidentAI, emulator: Emulator) -> None:
    """A conflict says that there is one: it is looked for until it is listed, and is not called ours."""
    emulator.faults.add("*", faults.Stale(4, by_id=True))
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as other:
        theirs = other.projects.create(NAMES[0]).project
    ensured = await done(client.projects.ensure(NAMES[0], key="web"))
    assert (ensured.project.id, ensured.created, ensured.orphaned_key_ids) == (theirs.id, False, [])
    assert [key.name for key in ensured.new_keys] == ["web"]


# What an answer said is gone ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retire", ["disable", "delete"])
async def test_an_old_key_that_is_gone_and_still_listed(
    retire: Any, client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API says that the old key is gone: it is retired, however long a listing shows it."""
    project_id = project_id_of(emulator, "Old 1")
    old = min(keys_in(emulator, project_id))
    emulator.faults.add("listProjectApiKeys", faults.Stale(4))
    operation = "updateProjectApiKey" if retire == "disable" else "deleteProjectApiKey"
    before(monkeypatch, emulator, operation, lambda other: other.project(project_id).api_keys.delete(old))
    async with entered(client.project(project_id).api_keys.rotate(old, retire=retire)) as rotation:
        pass
    assert old not in keys_in(emulator, project_id)
    assert rotation.new_key.id in valid_in(emulator, project_id)


async def test_a_listing_before_the_first_write_is_believed(client: ConfidentAI, emulator: Emulator) -> None:
    """It contradicts nothing that the job knows, however old it is: nothing is read twice, and nothing waited for."""
    project_id = project_id_of(emulator, "Old 1")
    emulator.faults.add("*", faults.Stale(4))
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as other:
        other.project(project_id).update(description="Changed")
        other.project(project_id).api_keys.create("web")
    begun = len(emulator.calls)
    await done(client.projects.ensure("Old 1", description="Changed"))
    await done(client.projects.ensure("Old 1", key="service"))
    operations = [call.operation for call in emulator.calls[begun:]]
    assert operations == ["listProjects", "updateProject", "listProjects", "listProjectApiKeys"]
    assert emulator.clock.slept == []
