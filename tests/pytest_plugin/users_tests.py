"""Tests as users write them, typed. ``test_pytest_plugin.py`` runs them, and the type checkers read them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from confidentai_admin import AsyncConfidentAI, ConfidentAI, InternalServerError
from confidentai_admin.emulator import Emulator, faults


def create(name: str) -> str:
    """Code under test, with a client of its own."""
    with ConfidentAI() as client:
        return client.projects.create(name).project.id


async def create_async(name: str) -> str:
    """The same, asynchronous."""
    async with AsyncConfidentAI() as client:
        return (await client.projects.create(name)).project.id


@pytest.fixture(params=["STARTER", "TEAM"])
def planned_emulator(request: pytest.FixtureRequest, confident_emulator: Emulator) -> Emulator:
    """A fixture on top of the plugin's, with parameters."""
    confident_emulator.change_plan(request.param)
    return confident_emulator


def test_code_with_a_client_of_its_own(confident_emulator: Emulator) -> None:
    ids = [create("blocking"), asyncio.run(create_async("asynchronous"))]
    assert len(set(ids)) == len(confident_emulator.sent("createProject")) == 2


def test_one_emulator_for_all_fixtures(
    async_confident_client: AsyncConfidentAI, confident_client: ConfidentAI, confident_emulator: Emulator
) -> None:
    created = confident_client.projects.create("shared")
    assert created.project in asyncio.run(async_confident_client.projects.list())
    assert [call.operation for call in confident_emulator.calls] == ["createProject", "listProjects"]
    assert confident_client.base_url == async_confident_client.base_url == confident_emulator.url


def test_a_fixture_with_parameters(
    planned_emulator: Emulator, confident_client: ConfidentAI, request: pytest.FixtureRequest
) -> None:
    assert confident_client.whoami().plan == request.node.callspec.params["planned_emulator"]
    assert planned_emulator.url == confident_client.base_url


def test_threads(confident_emulator: Emulator, confident_client: ConfidentAI) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(create, "abcd"))
        list(threads.map(confident_client.projects.create, "efgh"))
    assert {call.body["name"] for call in confident_emulator.writes} == set("abcdefgh")


def test_a_program(confident_emulator: Emulator) -> None:
    program = "from confidentai_admin import ConfidentAI; ConfidentAI().projects.create('elsewhere')"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    (call,) = confident_emulator.sent("createProject")
    assert call.body["name"] == "elsewhere"


def test_a_pause_is_not_waited_for(confident_emulator: Emulator) -> None:
    confident_emulator.faults.add("createProject", faults.Answer(503, retry_after=50))
    create("patient")
    assert confident_emulator.clock.slept == [50]


def test_backoff_is_not_waited_for(confident_emulator: Emulator, async_confident_client: AsyncConfidentAI) -> None:
    confident_emulator.faults.add("listProjects", faults.Answer(500), times=None)
    with pytest.raises(InternalServerError):
        asyncio.run(async_confident_client.projects.list())
    assert len(confident_emulator.clock.slept) == 2
