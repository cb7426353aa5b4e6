"""Hearing that an operation will go away."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aioresponses import aioresponses

from confidentai_admin import APIDeprecationWarning, ConfidentAI, ConflictError

from .cases.samples import FULL_KEY, NEW_KEY, NEW_KEY_JSON, ORGANIZATION_JSON, PROJECT, PROJECT_JSON
from .faces import assert_same, done, opened

pytestmark = pytest.mark.both_faces

KEY = "confident_us_org_" + "k" * 43
BASE_URL = "https://confident.example"
LINK = "https://docs.example/gone-soon"
PROJECTS = f"{BASE_URL}/v1/projects"
ORGANIZATION = f"{BASE_URL}/v1/organization"


def envelope(data: object, *, deprecated: bool = True) -> dict[str, object]:
    return {"success": True, "data": data, "deprecated": deprecated, "link": LINK}


@contextmanager
def heard() -> Iterator[list[warnings.WarningMessage]]:
    """What is warned of in the block, in whatever thread, each time that it is."""
    with warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("always")
        yield messages


def test_it_is_a_deprecation_warning() -> None:
    """The warning is of a category of its own, which is Python's for deprecations."""
    assert issubclass(APIDeprecationWarning, DeprecationWarning)


async def test_warns_once_per_operation(face: type[ConfidentAI]) -> None:
    """Each operation is warned of at its first deprecated answer and not again, with its name and the link."""
    with aioresponses() as server, heard() as messages:
        server.get(PROJECTS, payload=envelope({"projects": []}), repeat=True)
        server.get(ORGANIZATION, payload=envelope({"organization": ORGANIZATION_JSON}), repeat=True)
        async with opened(face(KEY, base_url=BASE_URL)) as client:
            await done(client.projects.list())
            await done(client.projects.list())
            await done(client.whoami())
            await done(client.organization().get())
            await done(client.with_options(max_retries=0).projects.list())
    assert [message.category for message in messages] == [APIDeprecationWarning] * 2
    first, second = [str(message.message) for message in messages]
    assert "listProjects" in first
    assert "getOrganization" in second
    assert LINK in first
    assert LINK in second
    assert KEY not in first + second


async def test_the_scopes_are_operations_of_their_own(face: type[ConfidentAI]) -> None:
    """The organization's and a project's operation of the same method are warned of each."""
    with aioresponses() as server, heard() as messages:
        for root in (ORGANIZATION, f"{PROJECTS}/one", f"{PROJECTS}/other"):
            server.get(f"{root}/policies", payload=envelope({"policies": []}))
        async with opened(face(KEY, base_url=BASE_URL)) as client:
            await done(client.organization().iam.policies.list())
            await done(client.project("one").iam.policies.list())
            await done(client.project("other").iam.policies.list())
    first, second = [str(message.message) for message in messages]
    assert "listPolicies" in first
    assert "listProjectPolicies" in second


async def test_another_client_is_warned_again(face: type[ConfidentAI]) -> None:
    """What one client has warned of, another one has not."""
    with aioresponses() as server, heard() as messages:
        server.get(PROJECTS, payload=envelope({"projects": []}), repeat=True)
        for _ in range(2):
            async with opened(face(KEY, base_url=BASE_URL)) as client:
                await done(client.projects.list())
    assert len(messages) == 2


async def test_nothing_is_warned_of_what_stays(face: type[ConfidentAI]) -> None:
    """An answer that says `deprecated: false`, or nothing of it, gives no warning, whatever link it has."""
    silent = envelope({"projects": []}, deprecated=False)
    with aioresponses() as server, heard() as messages:
        server.get(PROJECTS, payload=silent)
        server.get(PROJECTS, payload={name: value for name, value in silent.items() if name != "deprecated"})
        async with opened(face(KEY, base_url=BASE_URL)) as client:
            await done(client.projects.list())
            await done(client.projects.list())
    assert messages == []


async def test_without_a_link_it_warns_as_well(face: type[ConfidentAI]) -> None:
    """The link may be absent or null; the warning comes all the same, and says no None."""
    with aioresponses() as server, heard() as messages:
        server.get(PROJECTS, payload={"success": True, "data": {"projects": []}, "deprecated": True})
        server.get(f"{PROJECTS}/one", payload={**envelope({"project": PROJECT_JSON}), "link": None})
        async with opened(face(KEY, base_url=BASE_URL)) as client:
            await done(client.projects.list())
            assert_same(await done(client.project("one").get()), PROJECT)
    assert len(messages) == 2
    assert not any("None" in str(message.message) for message in messages)


async def test_a_refusal_can_say_it_too(face: type[ConfidentAI]) -> None:
    """Any answer can say that its operation will go away: a refusal warns, and is raised."""
    refusal = {"success": False, "error": "Not now.", "deprecated": True, "link": LINK}
    with aioresponses() as server, heard() as messages:
        server.post(PROJECTS, status=409, payload=refusal)
        async with opened(face(KEY, base_url=BASE_URL)) as client:
            with pytest.raises(ConflictError):
                await done(client.projects.create("Checkout"))
    (message,) = messages
    assert message.category is APIDeprecationWarning
    assert "createProject" in str(message.message)
    assert LINK in str(message.message)


@pytest.mark.parametrize(
    "call", [lambda client: client.projects.list(), lambda client: client.whoami()], ids=["a method", "whoami"]
)
async def test_the_warning_points_at_the_caller(face: type[ConfidentAI], call: Callable[[ConfidentAI], object]) -> None:
    """The warning is attributed to the caller's code: Python shows a script no deprecation of a library's own lines."""
    with aioresponses() as server, heard() as messages:
        server.get(PROJECTS, payload=envelope({"projects": []}))
        server.get(ORGANIZATION, payload=envelope({"organization": ORGANIZATION_JSON}))
        async with opened(face(KEY, base_url=BASE_URL)) as client:
            await done(call(client))
    (message,) = messages
    # The calls of this package's tests go through its helpers.
    assert Path(message.filename).parent == Path(__file__).parent


async def test_where_warnings_are_errors_the_result_is_kept(
    face: type[ConfidentAI], caplog: pytest.LogCaptureFixture
) -> None:
    """With warnings as errors a deprecated creation still gives its one-time key, and the log says what is wrong."""
    answer = envelope({"project": PROJECT_JSON, "apiKey": NEW_KEY_JSON})
    with aioresponses() as server, warnings.catch_warnings(), caplog.at_level(logging.WARNING, "confidentai_admin"):
        warnings.simplefilter("error")
        server.post(PROJECTS, payload=answer)
        async with opened(face(KEY, base_url=BASE_URL)) as client:
            created = await done(client.projects.create("Checkout"))
    assert created.api_key is not None
    assert_same(created.api_key, NEW_KEY)
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "createProject" in record.getMessage()
    assert LINK in record.getMessage()
    assert FULL_KEY not in caplog.text
