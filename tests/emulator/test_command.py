"""The command `python -m confidentai_admin.emulator`."""

import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from confidentai_admin.emulator.__main__ import main

from ..subprocess_program import ctrl_c, run
from .conftest import COMMAND

READY_WITHIN = 60  # seconds, for a machine that is busy


@contextmanager
def running(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    """Run the command until the block ends, and give its process and its ready line, which must come in time."""
    # Python must not flush by itself what the command has to.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [sys.executable, "-m", "confidentai_admin.emulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    lines: list[str] = []

    def read_line() -> None:
        assert process.stdout is not None
        lines.append(process.stdout.readline())

    reading = threading.Thread(target=read_line)
    reading.start()
    try:
        reading.join(READY_WITHIN)
        assert not reading.is_alive(), "no ready line came"
        yield process, json.loads(lines[0])
    finally:
        if process.poll() is None:
            process.kill()
        # An end of the process is an end of the line, too.
        reading.join(READY_WITHIN)
        process.communicate(timeout=60)


def organization(url: str, key: str) -> dict[str, object]:
    """Ask who the organization is."""
    with urlopen(Request(url + "/v1/organization", headers={"CONFIDENT_API_KEY": key}), timeout=60) as response:
        data: dict[str, dict[str, dict[str, object]]] = json.loads(response.read())
    return data["data"]["organization"]


def test_one_line_says_that_it_is_ready_and_where() -> None:
    """The line has a URL and a key that work, and nothing else is in it."""
    with running() as (_, ready):
        assert set(ready) == {"url", "api_key"}
        assert organization(ready["url"], ready["api_key"])["plan"] == "TEAM"


def test_the_arguments_are_used(tmp_path: Path) -> None:
    """Host, port, key, plan and seed are what they were given as."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"organization": {"name": "X"}, "members": [{"email": "o@x.example", "role": "Owner"}]}))
    arguments = ["--host", "localhost", "--port", str(port), "--api-key", "my-very-own-key", "--plan", "FREE"]
    with running(*arguments, "--seed", str(seed)) as (_, ready):
        assert ready == {"url": f"http://127.0.0.1:{port}", "api_key": "my-very-own-key"}
        found = organization(ready["url"], "my-very-own-key")
    assert (found["name"], found["plan"]) == ("X", "FREE")


def test_statuses_are_switched() -> None:
    """Each --status switches one rule's."""
    with running("--status", "wrong-method=404", "--status", "unknown-field=422") as (_, ready):
        for method, path, status in (("DELETE", "/v1/projects", 404), ("GET", "/v1/projects?x=1", 422)):
            headers = {"CONFIDENT_API_KEY": ready["api_key"]}
            with pytest.raises(HTTPError) as caught:
                urlopen(Request(ready["url"] + path, headers=headers, method=method), timeout=60)
            caught.value.close()
            assert caught.value.code == status


def test_an_older_server_has_the_first_version_only() -> None:
    """With --api-versions v1 the paths of v2 are unknown."""
    with running("--api-versions", "v1") as (_, ready):
        assert organization(ready["url"], ready["api_key"])["plan"] == "TEAM"
        with pytest.raises(HTTPError) as caught:
            urlopen(Request(ready["url"] + "/v2/organization"), timeout=60)
        caught.value.close()
        assert caught.value.code == 404


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals between processes")
@pytest.mark.parametrize(
    ("number", "at_ctrl_c"),
    [
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGTERM, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_IGN),
    ],
    ids=["Ctrl-C", "SIGTERM", "SIGTERM, in the background"],
)
def test_a_signal_ends_it_cleanly(number: signal.Signals, at_ctrl_c: Any) -> None:
    """Ctrl-C and SIGTERM end it with status 0 and not a word more, even with a connection kept open.

    SIGTERM does so as well where its parent ignores Ctrl-C, as a shell does that starts it in the background.
    """
    with ctrl_c(at_ctrl_c), running() as (process, ready):
        port = int(ready["url"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=60):
            process.send_signal(number)
            out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--plan", "GOLD"], "plan must be one of"),
        (["--host", "0.0.0.0"], "loopback"),
        (["--seed", "no-such-file.json"], "seed file cannot be read"),
        (["--api-key", "a b"], "api_key must"),
        (["--api-key", "twelve-chars"], "api_key must have at least 13 characters"),
        (["--port", "70000"], "port"),
        (["--port", "-1"], "port"),
        (["--api-versions", "v3"], "api_versions must be"),
        (["--second-rotation", "both"], "second_rotation must be"),
    ],
)
def test_wrong_arguments_end_it_with_one_line(arguments: list[str], says: str) -> None:
    """A mistake on the command line is status 2, nothing on stdout, and one line on stderr that says it."""
    done = run(COMMAND, *arguments)
    assert (done.status, done.output) == (2, "")
    assert len(done.errors.splitlines()) == 1
    assert says in done.errors


def test_a_port_in_use_ends_it_with_one_line() -> None:
    """So does a port that somebody else has."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        arguments = ["--port", str(taken.getsockname()[1])]
        done = run(COMMAND, *arguments)
    assert (done.status, done.output) == (2, "")
    assert len(done.errors.splitlines()) == 1
    assert "in use" in done.errors


def test_a_bad_seed_file_ends_it_with_one_line(tmp_path: Path) -> None:
    """So does a seed that describes no possible world, by the place in it."""
    seed = tmp_path / "seed.json"
    seed.write_text('{"members": [{"email": "nobody"}]}')
    done = run(COMMAND, "--seed", str(seed))
    assert (done.status, done.output) == (2, "")
    assert len(done.errors.splitlines()) == 1
    assert "members[0].email" in done.errors


SHELL = pytest.mark.skipif(os.name == "nt", reason="Windows has no such shell")


def in_a_shell(line: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of shell in which $0 is this Python."""
    shell = ["/bin/sh", "-c", line, sys.executable]
    return subprocess.run(shell, capture_output=True, text=True, timeout=READY_WITHIN, check=False)


@SHELL
def test_a_closed_output_ends_it_with_one_line() -> None:
    """Where the ready line cannot be written, nobody could find the emulator: one line on stderr says so."""
    done = in_a_shell('"$0" -m confidentai_admin.emulator >&-')
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "python -m confidentai_admin.emulator: error: Standard output is closed, and there is something to say."
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_output_is_no_wrong_argument() -> None:
    """Where there is no room for the ready line, the one line and the status say that, as the demo's do."""
    done = in_a_shell('"$0" -m confidentai_admin.emulator >/dev/full')
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        [f"python -m confidentai_admin.emulator: error: The output cannot be written: {os.strerror(errno.ENOSPC)}."],
    )


@SHELL
def test_a_closed_error_output_does_not_change_the_status() -> None:
    """A mistake on the command line is status 2 also where it cannot be told."""
    done = in_a_shell('"$0" -m confidentai_admin.emulator --plan GOLD 2>&-')
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@SHELL
def test_a_reader_that_has_gone_ends_it_in_silence() -> None:
    """Nobody who reads the ready line is an end by SIGPIPE, as of any program in a pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "confidentai_admin.emulator"]
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=READY_WITHIN, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


@SHELL
def test_a_reader_of_only_the_ready_line_leaves_it_running() -> None:
    """After `| head -1` it serves on, and Ctrl-C ends it without a word."""
    with ctrl_c(), running() as (process, ready):
        assert process.stdout is not None
        process.stdout.close()
        assert organization(ready["url"], ready["api_key"])["plan"] == "TEAM"
        process.send_signal(signal.SIGINT)
        assert process.wait(READY_WITHIN) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
        process.stdout = None


def test_a_reader_that_has_gone_is_no_wrong_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what starts the program knows how it ends then."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    with pytest.raises(BrokenPipeError):
        main([])
