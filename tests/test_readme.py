"""The README does what it says."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from confidentai_admin import ConfidentAI
from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator.product import RESET, VERBS

from .subprocess_program import run

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def examples_emulator() -> Iterator[Emulator]:
    """The emulator that the examples find, one after the other."""
    with Emulator() as emulator:
        yield emulator


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_runs_as_it_is(number: int, examples_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """An example that is pasted into a file runs to its end without a warning."""
    monkeypatch.setenv("CONFIDENT_BASE_URL", examples_emulator.url)
    monkeypatch.setenv("CONFIDENT_ORG_API_KEY", examples_emulator.api_key)
    done = run(EXAMPLES[number])
    assert (done.status, done.errors) == (0, "")


def test_the_seed_is_one() -> None:
    """The example of a seed makes the world it describes, and has everything that a seed can have."""
    (text,) = re.findall(r"^```json\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    seed = json.loads(text)
    with Emulator(seed=seed) as emulator, ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        assert client.whoami().name == "Example Ltd"
        assert client.organization().members.list().total == 3
        (project,) = client.projects.list()
        assert project.governance_policy is not None
        assert project.governance_policy.name == "Baseline"
        (invitation,) = client.organization().invitations.list()
        assert invitation.status == "DECLINED"
    with pytest.raises(ValueError, match="unheard"):
        Emulator(seed={**seed, "unheard": 1})


def test_the_verbs_are_those_there_are() -> None:
    """The README's table of what happens in the product names every method and every verb, with its arguments."""
    rows = re.findall(r"^\| `(\w+)\((.*?)\)` \| `/_emulator/([\w-]+)` \|", TEXT, re.MULTILINE)
    assert {verb for _, _, verb in rows} == {*(verb.name for verb in VERBS), RESET}
    for name, arguments, _ in rows:
        assert arguments.replace("id", "invitation_id", 1 if name.endswith("invitation") else 0) == _signature(
            getattr(Emulator(), name)
        )


def test_there_are_examples_of_both_faces() -> None:
    """There is a first program for scripts and one for services."""
    assert any("with ConfidentAI()" in example for example in EXAMPLES)
    assert any("async with AsyncConfidentAI(" in example for example in EXAMPLES)


@pytest.mark.parametrize("name", ["demo", "test"])
def test_the_two_commands_are_one_line_each(name: str) -> None:
    """The commands that newcomers and CI run can be found, and need only Python."""
    (command,) = re.findall(rf"<!-- {name} command -->\n```sh\n(.*)\n```\n", TEXT)
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")


def _signature(method: Any) -> str:
    parameters = list(inspect.signature(method).parameters.values())
    names = [parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    options = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    return ", ".join([*names, *(["*", *options] if options else [])])


def _calls(resource: Any, path: str) -> Iterator[str]:
    for name in dir(resource):
        if name.startswith("_"):
            continue
        value = getattr(resource, name)
        if isinstance(getattr(type(resource), name, None), property) and path == "client":
            yield f"{path}.{name}"
        elif inspect.ismethod(value):
            yield f"{path}.{name}({_signature(value)})"
        elif type(value).__module__.startswith("confidentai_admin._sync"):
            yield from _calls(value, f"{path}.{name}")


def test_the_table_is_the_whole_surface() -> None:
    """Every call with its arguments is a row of the table, and every row is a call."""
    client = ConfidentAI("key")
    organization = set(_calls(client.organization(), "scope"))
    project = set(_calls(client.project("id"), "scope"))
    own = {"scope.get()", "scope.update(*, name)"}
    expected = {call for call in organization & project if call not in own}
    expected |= {call.replace("scope", "organization", 1) for call in organization - expected}
    expected |= {call.replace("scope", "project", 1) for call in project - expected}
    expected |= set(_calls(client, "client"))
    expected -= {"client.organization()", "client.project(project_id)"}
    table = TEXT.partition("| call | gives | operation |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(.*?)` \|", table, re.MULTILINE)) == expected


def test_the_variables_are_those_that_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment variables in the README are the ones that the client reads."""
    monkeypatch.setenv("CONFIDENT_ORG_API_KEY", "key")
    monkeypatch.setenv("CONFIDENT_REGION", "AU")
    assert ConfidentAI().base_url == "https://au.api.confident-ai.com"
    monkeypatch.setenv("CONFIDENT_BASE_URL", "https://eval.example.com/prefix/")
    assert ConfidentAI().base_url == "https://eval.example.com/prefix"
    assert set(re.findall(r"`(CONFIDENT_\w+)`", TEXT)) == {
        "CONFIDENT_ORG_API_KEY",
        "CONFIDENT_BASE_URL",
        "CONFIDENT_REGION",
        "CONFIDENT_API_KEY",
    }
