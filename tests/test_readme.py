"""The README does what it says."""

from __future__ import annotations

import codeop
import inspect
import json
import os
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from confidentai_admin import ConfidentAI, ConfigurationError
from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator.product import OWN_VERBS, VERBS

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


def test_every_example_can_be_pasted() -> None:
    """No empty line ends a block too early, and none is missing after one: line by line, each statement is whole.

    This is how the interpreters of 3.11 and 3.12 read a paste, and later ones without their own kind of terminal.
    """
    for example in EXAMPLES:
        statement: list[str] = []
        for line in [*example.splitlines(), ""]:
            statement.append(line)
            if codeop.compile_command("\n".join(statement), symbol="single"):
                statement.clear()
        assert not statement


FIRST = [example for example in EXAMPLES if "new keys for the vault" in example]
NEW_KEYS = [1, 3]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("number", range(len(FIRST)))
def test_a_first_program_can_be_pasted_into_this_python(number: int, emulator: Emulator, tmp_path: Path) -> None:
    """Pasted as it is at a terminal, with Enter twice, it runs to its end."""
    import pty  # Windows has none

    ours, its = pty.openpty()
    screen = {"TERM": "xterm", "COLUMNS": "120", "LINES": "40", "HOME": str(tmp_path)}
    address = {"CONFIDENT_BASE_URL": emulator.url, "CONFIDENT_ORG_API_KEY": emulator.api_key}
    environment = {**os.environ, **screen, **address}
    process = subprocess.Popen(
        [sys.executable], stdin=its, stdout=its, stderr=its, env=environment, start_new_session=True
    )
    os.close(its)
    try:
        prompted = _shown(ours, ">>> ")
        text = FIRST[number].rstrip("\n").replace("\n", "\r")
        if "\x1b[?2004h" in prompted:  # it wants to know what is pasted and what is typed
            text = f"\x1b[200~{text}\x1b[201~"
        os.write(ours, text.encode())
        # A terminal of 3.14 forgets what is typed before it has shown the paste.
        _shown(ours, _BETWEEN.join(map(re.escape, FIRST[number].splitlines()[-1])))
        os.write(ours, b"\r\r")
        # In the program's own text there is no number behind these words.
        said = _shown(ours, r"new keys for the vault: \d(?s:.*)>>> ")
        assert f"new keys for the vault: {NEW_KEYS[number]}" in said
        assert "Traceback" not in said
        assert not re.search("(Syntax|Indentation)Error", said)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


# What colours and moves, between two characters.
_BETWEEN = r"(?:\x1b\[[0-9;?]*[a-zA-Z])*"


def _shown(terminal: int, expected: str) -> str:
    """Read what a terminal shows until something is there."""
    shown, end = "", time.monotonic() + 30
    while not re.search(expected, shown):
        assert time.monotonic() < end, shown
        if select.select([terminal], [], [], 1)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
    return shown


@pytest.mark.skipif(os.name == "nt", reason="Windows has another shell")
def test_the_two_terminals_do_as_they_are_told(tmp_path: Path) -> None:
    """The commands run as they are written, but for the port; each program runs, and runs again, as `first.py`."""
    first, second = (
        re.findall(rf"<!-- {which} terminal -->\n```sh\n(.*?)```", TEXT, re.DOTALL)[0] for which in ("first", "second")
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    assert first.count("8765") == second.count("8765") == 1
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error "$@"\n')
    python.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    shell = ["/bin/sh", "-e"]
    emulator = subprocess.Popen(
        [*shell, "-c", f"exec {first.replace('8765', port)}"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE
    )
    try:
        assert emulator.stdout is not None
        assert json.loads(emulator.stdout.readline())["url"].endswith(port)
        for program, made in zip(FIRST, NEW_KEYS, strict=True):
            (tmp_path / "first.py").write_text(program, encoding="utf-8")
            for expected in (made, 0):
                done = subprocess.run(
                    [*shell, "-c", second.replace("8765", port)],
                    cwd=tmp_path,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=30,
                    check=False,
                )
                assert (done.returncode, done.stderr) == (0, "")
                assert f"new keys for the vault: {expected}\n" in done.stdout
    finally:
        emulator.kill()
        emulator.communicate()


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
    rows = re.findall(r"^\| `([\w.]+)\((.*?)\)` \| `/_emulator/([\w-]+)` \|", TEXT, re.MULTILINE)
    assert {verb for _, _, verb in rows} == {*(verb.name for verb in VERBS), *OWN_VERBS}
    for name, arguments, _ in rows:
        assert arguments.replace("id", "invitation_id", 1 if name.endswith("invitation") else 0) == _signature(
            attrgetter(name)(Emulator())
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
    monkeypatch.setenv("CONFIDENT_API_VERSION", "v3")
    with pytest.raises(ConfigurationError, match="CONFIDENT_API_VERSION"):
        ConfidentAI()
    assert set(re.findall(r"`(CONFIDENT_\w+)`", TEXT)) == {
        "CONFIDENT_ORG_API_KEY",
        "CONFIDENT_BASE_URL",
        "CONFIDENT_REGION",
        "CONFIDENT_API_VERSION",
        "CONFIDENT_API_KEY",
    }
