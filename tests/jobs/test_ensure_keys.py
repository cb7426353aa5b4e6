"""How `projects.ensure` and `projects.ensure_many` hand over the keys that they make, and replace a lost one."""

from __future__ import annotations

from typing import Any

import pytest

from confidentai_admin import (
    BadRequestError,
    ConfidentAI,
    DesiredProject,
    EnsuredProject,
    NotFoundError,
    PartialFailureError,
    RateLimitError,
    UnexpectedStateError,
)
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import done
from .key_watch import keys_in, notes_of, valid_in
from .meanwhile import before

NAME = "Tenant 42"


class Vault:
    """What `store` was given, and what had been written by then."""

    def __init__(self, emulator: Emulator) -> None:
        self.given: list[EnsuredProject] = []
        self.written: list[list[str | None]] = []
        self._emulator = emulator

    def store(self, ensured: EnsuredProject) -> None:
        self.given.append(ensured)
        self.written.append([call.operation for call in self._emulator.writes])

    @property
    def values(self) -> list[str]:
        return [key.value for ensured in self.given for key in ensured.new_keys]


async def ensure_one(many: bool, client: ConfidentAI, **wanted: Any) -> EnsuredProject:
    """Ensure a project, by either method, and raise what it met."""
    if not many:
        return await done(client.projects.ensure(NAME, **wanted))
    store = wanted.pop("store", None)
    (outcome,) = await done(client.projects.ensure_many([DesiredProject(NAME, **wanted)], store=store))
    if outcome.error is not None:
        raise outcome.error
    assert outcome.result is not None
    return outcome.result


each_method = pytest.mark.parametrize("many", [False, True], ids=["ensure", "ensure_many"])


# Handing over ---------------------------------------------------------------------------------------------------------


@each_method
async def test_each_key_is_handed_over_at_once(many: bool, client: ConfidentAI, emulator: Emulator) -> None:
    """`store` is called once for each key, before anything else is done, with what it was not given yet."""
    policy = (await done(client.organization().governance.policies.list()))[0].name
    vault = Vault(emulator)
    ensured = await ensure_one(many, client, governance_policy=policy, key="service", store=vault.store)
    assert [[key.name for key in each.new_keys] for each in vault.given] == [["Default Key"], ["service"]]
    assert vault.written == [
        ["createProject"],
        ["createProject", "assignProjectsToGovernancePolicy", "createProjectApiKey"],
    ]
    assert [each.is_finished for each in vault.given] == [False, False]
    assert {each.project.id for each in vault.given} == {ensured.project.id}
    assert ensured.is_finished
    assert [key.value for key in ensured.new_keys] == vault.values
    assert set(vault.values) == set(valid_in(emulator, ensured.project.id).values())


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(faults.Answer(404), NotFoundError), (faults.Answer(429, retry_after=3600), RateLimitError)],
    ids=["the policy is gone", "429"],
)
@each_method
async def test_a_key_is_handed_over_whatever_comes_next(
    many: bool, fault: faults.Fault, kind: type[Exception], client: ConfidentAI, emulator: Emulator
) -> None:
    """A step after the creation fails: the vault has the key already."""
    policy = (await done(client.organization().governance.policies.list()))[0].name
    emulator.faults.add("assignProjectsToGovernancePolicy", fault)
    vault = Vault(emulator)
    with pytest.raises(kind) as caught:
        await ensure_one(many, client, governance_policy=policy, key="service", store=vault.store)
    partial = caught.value.partial  # type: ignore[attr-defined]
    assert (
        [key.value for key in partial.new_keys] == vault.values == list(valid_in(emulator, partial.project.id).values())
    )
    assert not partial.is_finished


async def test_a_row_that_failed_has_what_was_done(client: ConfidentAI, emulator: Emulator) -> None:
    """The outcome of a project that failed in the middle has the project, with and without `store`."""
    policy = (await done(client.organization().governance.policies.list()))[0].name
    emulator.faults.add("assignProjectsToGovernancePolicy", faults.Answer(404))
    (outcome,) = await done(client.projects.ensure_many([DesiredProject(NAME, governance_policy=policy)]))
    assert outcome.happened == "failed"
    assert outcome.result is not None
    assert not outcome.result.is_finished
    assert outcome.new_keys == outcome.result.new_keys != []


@each_method
async def test_nothing_is_stored_where_nothing_is_made(many: bool, client: ConfidentAI, emulator: Emulator) -> None:
    """`store` is not called for a project whose key was there."""
    await done(client.projects.ensure(NAME, key="service"))
    vault = Vault(emulator)
    await ensure_one(many, client, key="service", store=vault.store)
    assert vault.given == []


@each_method
async def test_a_vault_that_fails_stops_the_project(many: bool, client: ConfidentAI, emulator: Emulator) -> None:
    """If `store` fails, nothing more is done for the project, and its error has the key in full."""

    def store(ensured: EnsuredProject) -> None:
        raise OSError("the vault is sealed")

    with pytest.raises(OSError, match="sealed") as caught:
        await ensure_one(many, client, key="service", store=store)
    assert [call.operation for call in emulator.writes] == ["createProject"]
    partial = caught.value.partial  # type: ignore[attr-defined]
    assert [key.value for key in partial.new_keys] == list(valid_in(emulator, partial.project.id).values())


async def test_a_job_within_a_vault_drops_no_secret(client: ConfidentAI, emulator: Emulator) -> None:
    """If `store` runs a job that fails in its middle, the keys of both are there, each on its own error."""
    inner = BadRequestError("refused")
    inner.partial = "what the job within had done"

    def store(ensured: EnsuredProject) -> None:
        raise inner

    with pytest.raises(PartialFailureError, match="store failed") as caught:
        await done(client.projects.ensure(NAME, store=store))
    assert caught.value.__cause__ is inner
    assert inner.partial == "what the job within had done"
    assert len(caught.value.partial.new_keys) == 1


# Another key for a lost one -------------------------------------------------------------------------------------------


async def with_lost_key(client: ConfidentAI) -> tuple[str, int]:
    """A project whose key was stored nowhere: its id, and the key's."""
    ensured = await done(client.projects.ensure(NAME))
    assert ensured.api_key is not None
    return ensured.project.id, ensured.api_key.id


async def test_a_lost_secret_is_replaced(client: ConfidentAI, emulator: Emulator) -> None:
    """A new key is made and handed over, and only then is the old one retired."""
    project_id, lost = await with_lost_key(client)
    valid: list[set[int]] = []
    vault = Vault(emulator)

    def store(ensured: EnsuredProject) -> None:
        vault.store(ensured)
        valid.append(set(valid_in(emulator, project_id)))

    ensured = await done(client.projects.ensure(NAME, key="Default Key", reissue=True, store=store))
    assert ensured.api_key is not None
    assert ensured.new_keys == [ensured.api_key]
    assert vault.values == [ensured.api_key.value]
    assert not vault.given[0].is_finished
    assert valid == [{lost, ensured.api_key.id}]
    assert ensured.retired_key_ids == [lost]
    assert ensured.duplicate_key_ids == []
    assert valid_in(emulator, project_id) == {ensured.api_key.id: ensured.api_key.value}
    # It is the key of this name from now on.
    assert (await done(client.projects.ensure(NAME, key="Default Key"))).new_keys == []


async def test_a_vault_that_fails_leaves_both_keys(client: ConfidentAI, emulator: Emulator) -> None:
    """If `store` fails, both keys stay valid, and the error says so and has the new one. The next call retires both."""
    project_id, lost = await with_lost_key(client)

    def store(ensured: EnsuredProject) -> None:
        raise OSError("the vault is sealed")

    with pytest.raises(OSError, match="sealed") as caught:
        await done(client.projects.ensure(NAME, key="Default Key", reissue=True, store=store))
    (key,) = caught.value.partial.new_keys  # type: ignore[attr-defined]
    assert valid_in(emulator, project_id) == {lost: keys_in(emulator, project_id)[lost].value, key.id: key.value}
    assert f"Both API keys stay valid, the new one, {key.id}, and the old one, {lost}." in notes_of(caught.value)

    vault = Vault(emulator)
    ensured = await done(client.projects.ensure(NAME, key="Default Key", reissue=True, store=vault.store))
    assert list(valid_in(emulator, project_id).values()) == vault.values
    assert ensured.retired_key_ids == [lost, key.id]


async def test_a_job_tells_what_its_caller_can_do(client: ConfidentAI, emulator: Emulator) -> None:
    """Where an old key of several cannot be retired, the notes name what is valid, and no rotation that nobody has."""
    project = (await done(client.projects.ensure(NAME, key="service"))).project
    second = await done(client.project(project.id).api_keys.create("service"))
    emulator.faults.add("updateProjectApiKey", faults.Answer(400), nth=2)
    with pytest.raises(BadRequestError) as caught:
        await done(client.projects.ensure(NAME, key="service", reissue=True, store=lambda ensured: None))
    assert f"Other keys 'service' may be valid still: {second.id}." in notes_of(caught.value)
    assert f"The new one is {caught.value.partial.new_keys[-1].id}" in notes_of(caught.value)
    emulator.faults.clear()
    emulator.faults.add("updateProjectApiKey", faults.Answer(400))
    with pytest.raises(BadRequestError) as caught:
        await done(client.projects.ensure(NAME, key="service", reissue=True, store=lambda ensured: None))
    assert "discard()" not in notes_of(caught.value)
    assert f"call api_keys.delete({caught.value.partial.new_keys[-1].id})" in notes_of(caught.value)


async def test_a_reissue_tells_another_programs_key_where_the_old_one_cannot_be_retired(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another program has put in the same old key's place is on the partial, and in a note."""
    project = (await done(client.projects.ensure(NAME, key="service"))).project
    (old,) = [key.id for key in keys_in(emulator, project.id).values() if key.name == "service"]
    theirs: list[int] = []

    def rotate(other: ConfidentAI) -> None:
        with other.project(project.id).api_keys.rotate(old) as rotation:
            theirs.append(rotation.new_key.id)
        emulator.faults.add("updateProjectApiKey", faults.Answer(400))

    before(monkeypatch, emulator, "listProjectApiKeys", rotate, nth=2)
    with pytest.raises(BadRequestError) as caught:
        await done(client.projects.ensure(NAME, key="service", reissue=True, store=lambda ensured: None))
    assert caught.value.partial.duplicate_key_ids == theirs != []
    assert f"another program put API key {theirs[0]} in its place" in notes_of(caught.value)


async def test_a_new_key_whose_answer_is_lost(client: ConfidentAI, emulator: Emulator) -> None:
    """A key that a lost answer left is deleted, since its name is its own, and another is made."""
    project_id, _ = await with_lost_key(client)
    emulator.faults.add("createProjectApiKey", faults.Drop(after_work=True))
    vault = Vault(emulator)
    ensured = await done(client.projects.ensure(NAME, key="Default Key", reissue=True, store=vault.store))
    assert ensured.orphaned_key_ids == []
    assert list(valid_in(emulator, project_id).values()) == vault.values


async def test_a_key_that_is_not_there_is_made(client: ConfidentAI, emulator: Emulator) -> None:
    """Where there is nothing to replace, `reissue` is as good as without; a new project's first key is the one."""
    vault = Vault(emulator)
    first = await done(client.projects.ensure(NAME, key="Default Key", reissue=True, store=vault.store))
    assert len(valid_in(emulator, first.project.id)) == 1
    second = await done(client.projects.ensure(NAME, key="service", reissue=True, store=vault.store))
    assert second.api_key is not None
    assert second.api_key.name == "service"
    assert first.retired_key_ids == second.retired_key_ids == []
    assert vault.values == list(valid_in(emulator, first.project.id).values())


async def test_a_deactivated_key_is_not_reissued(client: ConfidentAI, emulator: Emulator) -> None:
    """Who deactivated a tenant's key does not get another one made: an error, and nothing is written."""
    project_id, key_id = await with_lost_key(client)
    await done(client.project(project_id).api_keys.update(key_id, valid=False))
    begun = len(emulator.writes)
    with pytest.raises(UnexpectedStateError, match="are deactivated"):
        await done(client.projects.ensure(NAME, key="Default Key", reissue=True, store=Vault(emulator).store))
    assert len(emulator.writes) == begun


async def test_another_program_that_reissues_at_once(
    client: ConfidentAI, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that appeared meanwhile is another program's: it stays valid, and is named as a duplicate."""
    project_id, _ = await with_lost_key(client)
    theirs: list[int] = []
    before(
        monkeypatch,
        emulator,
        "createProjectApiKey",
        lambda other: theirs.append(other.project(project_id).api_keys.create("Default Key").id),
    )
    vault = Vault(emulator)
    ensured = await done(client.projects.ensure(NAME, key="Default Key", reissue=True, store=vault.store))
    assert ensured.duplicate_key_ids == theirs
    assert theirs[0] in valid_in(emulator, project_id)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"reissue": True, "key": "service"}, ValueError, "reissue needs key, .*, and store"),
        ({"reissue": True, "store": print}, ValueError, "reissue needs key, .*, and store"),
        ({"reissue": "yes", "key": "service", "store": print}, TypeError, "reissue must be True or False"),
        ({"store": "vault.json"}, TypeError, "must be a function"),
    ],
    ids=["no store", "no key", "no truth", "no function"],
)
async def test_a_reissue_that_cannot_be_is_told_before_a_request(
    arguments: dict[str, Any], kind: type[Exception], message: str, client: ConfidentAI, emulator: Emulator
) -> None:
    """Without a name there is nothing to replace, and without `store` the old key would be retired too early."""
    with pytest.raises(kind, match=message):
        await done(client.projects.ensure(NAME, **arguments))
    assert emulator.calls == []
