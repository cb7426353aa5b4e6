"""Deleting a project, and only the one that is meant."""

from __future__ import annotations

import pytest

from confidentai_admin import (
    ConfidentAI,
    ConfidentAIError,
    ConfigurationError,
    DeletionResult,
    NotFoundError,
    UnexpectedStateError,
)
from confidentai_admin.emulator import Emulator, faults

from ..operations.faces import assert_same, done, opened
from ..operations.lookups import new_project
from .steps import Step, each_fault, each_persistence, steps_of

STEPS = [Step("getProject", 1), Step("deleteProject", 1)]


async def names(client: ConfidentAI) -> list[str]:
    """The names of all projects."""
    return [project.name for project in await done(client.projects.list())]


@pytest.mark.both_faces
async def test_the_project_of_that_name_is_deleted(client: ConfidentAI, emulator: Emulator) -> None:
    """With the name that it has, the project is read and deleted; without a name, it is deleted at once."""
    await new_project(client, "Other")
    for expect_name, steps in (("Checkout", STEPS), (None, STEPS[1:])):
        project = await new_project(client)
        before = len(emulator.calls)
        deleted = await done(project.delete(expect_name=expect_name))
        assert_same(deleted, DeletionResult(project.id, deleted=True))
        assert steps_of(emulator.calls[before:]) == steps
        assert await names(client) == ["Other"]


@pytest.mark.parametrize("expected", ["checkout", " Checkout", "Checkout ", "Check", "Checkout2"])
async def test_a_project_of_another_name_is_left_alone(client: ConfidentAI, emulator: Emulator, expected: str) -> None:
    """Any other name, by case or white space too, is an error that says the name, and nothing is deleted."""
    project = await new_project(client)
    with pytest.raises(UnexpectedStateError, match="is named 'Checkout'") as caught:
        await done(project.delete(expect_name=expected))
    assert repr(expected) in str(caught.value)
    assert not caught.value.outcome_unknown
    assert emulator.sent("deleteProject") == []
    assert await names(client) == ["Checkout"]


async def test_a_project_that_is_not_there(client: ConfidentAI, emulator: Emulator) -> None:
    """What does not exist has no name, and is not found."""
    with pytest.raises(NotFoundError) as caught:
        await done(client.project("nowhere").delete(expect_name="Checkout"))
    assert caught.value.operation == "getProject"


async def test_what_is_no_name_is_refused(client: ConfidentAI, emulator: Emulator) -> None:
    """An empty name is no wish to delete whatever is there: it is refused before any request."""
    project = client.project("prj-1")
    for empty in ("", "  "):
        with pytest.raises(ValueError, match="expect_name is empty"):
            await done(project.delete(expect_name=empty))
    with pytest.raises(TypeError, match="expect_name must be a string"):
        await done(project.delete(expect_name=7))  # type: ignore[arg-type]
    assert emulator.calls == []


async def test_a_read_only_client_makes_no_request(face: type[ConfidentAI], emulator: Emulator) -> None:
    """Who may not delete need not look either."""
    async with opened(face(emulator.api_key, base_url=emulator.url, read_only=True)) as client:
        with pytest.raises(ConfigurationError, match="read-only") as caught:
            await done(client.project("prj-1").delete(expect_name="Checkout"))
    assert caught.value.operation == "deleteProject"
    assert emulator.calls == []


@pytest.mark.in_loop
@each_fault
@each_persistence
async def test_every_step_can_fail(client: ConfidentAI, emulator: Emulator, fault: faults.Fault, times: int) -> None:
    """Whatever fails, only the project that is meant is deleted, an error or not says so, and it can be done again."""
    for step in STEPS:
        emulator.reset()
        emulator.clock.advance(3600)
        await new_project(client, "Other")
        project = await new_project(client)
        step.fail(emulator, fault, times=times)
        try:
            await done(project.delete(expect_name="Checkout"))
            failure = None
        except ConfidentAIError as error:
            failure = error
        emulator.faults.check()
        emulator.faults.clear()
        emulator.clock.advance(3600)
        is_there = "Checkout" in await names(client)
        if failure is None:
            assert not is_there
        elif not failure.outcome_unknown:
            assert is_there
        if is_there:
            await done(project.delete(expect_name="Checkout"))
        else:
            with pytest.raises(NotFoundError):
                await done(project.delete(expect_name="Checkout"))
        assert await names(client) == ["Other"]
