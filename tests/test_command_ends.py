"""How a command ends, whatever ends it."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import NoReturn

import pytest

from confidentai_admin import _command
from confidentai_admin._command import FAILED, WRONG_USE, CommandError


class Pipe:
    """A stream that fails as often as it is written to."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        raise self._error


def ended(error: BaseException) -> int:
    """The exit status of a command that this ends."""

    def fail() -> NoReturn:
        raise error

    with pytest.raises(SystemExit) as caught:
        _command.run("it", fail)
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (CommandError("not\nso", WRONG_USE), WRONG_USE, "it: error: not so\n"),
        (
            OSError(errno.ENOSPC, "No space left"),
            FAILED,
            "it: error: The output cannot be written: No space left.\n",
        ),
        (SystemExit(0), 0, ""),
        (SystemExit(7), 7, ""),
        (SystemExit("a word"), FAILED, ""),
    ],
    ids=["its own error", "a full device", "help", "a mistake", "a word"],
)
def test_an_end_has_a_status_and_at_most_one_line(
    error: BaseException, status: int, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever ends it, it is one line on standard error, or none, and an exit status."""
    assert ended(error) == status
    assert capfd.readouterr() == ("", said)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize(
    ("error", "number"), [(BrokenPipeError(), signal.SIGPIPE), (KeyboardInterrupt(), signal.SIGINT)]
)
def test_a_signals_end_is_by_that_signal(
    error: BaseException, number: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A shell sees the signal; were it blocked, the status that a shell would show."""
    done: list[tuple[object, ...]] = []
    monkeypatch.setattr(signal, "signal", lambda *arguments: done.append(arguments))
    monkeypatch.setattr(os, "kill", lambda *arguments: done.append(arguments))
    assert ended(error) == 128 + number
    assert done == [(number, signal.SIG_DFL), (os.getpid(), number)]
    assert capfd.readouterr() == ("", "")


def test_without_streams_it_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both were closed before it began, only what has something to say fails."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit) as caught:
        _command.run("it", lambda: 3)
    assert caught.value.code == 3
    assert ended(CommandError("nobody reads it", WRONG_USE)) == WRONG_USE
    with pytest.raises(CommandError, match="Standard output is closed"):
        _command.output()


def test_a_line_that_cannot_be_written_is_the_commands_own_error() -> None:
    """In a command in which another OSError means something else; that nobody reads any more stays what it is."""
    with pytest.raises(CommandError, match="cannot be written: No space left"):
        _command.say(Pipe(OSError(errno.ENOSPC, "No space left")), "a line")  # type: ignore[arg-type]
    with pytest.raises(BrokenPipeError):
        _command.say(Pipe(BrokenPipeError()), "a line")  # type: ignore[arg-type]


def test_what_nobody_reads_makes_no_traceback_at_the_end() -> None:
    """What is left in a buffer is thrown away, so that the interpreter's own end can flush it."""
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    stream.write("nobody reads this")
    _command._discard(stream)
    stream.close()
