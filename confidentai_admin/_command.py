"""How the commands of this package end: as Unix programs do, and never in a traceback that says nothing new."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn, TextIO

FAILED = 1
WRONG_USE = 2


class CommandError(Exception):
    """What ends a command: one line for standard error, and the exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def run(name: str, command: Callable[[], int]) -> NoReturn:
    """Run a command and exit with its status.

    Where nobody reads its output any more, it ends by SIGPIPE, and after Ctrl-C by SIGINT, so that a shell sees what
    happened; where there are no such signals, with the exit status that a shell would show.
    """
    try:
        status = command()
        if sys.stdout is not None:
            sys.stdout.flush()
    except CommandError as error:
        status = _fail(name, str(error), error.status)
    except BrokenPipeError:
        status = _die("SIGPIPE", 13)
    except KeyboardInterrupt:
        status = _die("SIGINT", 2)
    except OSError as error:
        status = _fail(name, _not_written(error), FAILED)
    except SystemExit as end:  # argparse's, after its help or a mistake
        status = end.code if isinstance(end.code, int) else FAILED
    # Nothing that is left in a buffer may fail while the interpreter ends: that would be a traceback after all.
    _discard(sys.stdout)
    _discard(sys.stderr)
    sys.exit(status)


def output() -> TextIO:
    """Give standard output.

    Raises:
        CommandError: There is none, since it was closed before the program began.
    """
    if sys.stdout is None:
        raise CommandError("Standard output is closed, and there is something to say.", FAILED)
    return sys.stdout


def say(out: TextIO, line: str) -> None:
    """Write a line to ``out`` now, in a command in which another ``OSError`` means something else.

    Raises:
        CommandError: It cannot be written.
        BrokenPipeError: Nobody reads it any more.
    """
    try:
        out.write(f"{line}\n")
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(_not_written(error), FAILED) from None


def _not_written(error: OSError) -> str:
    return f"The output cannot be written: {error.strerror or error}."


def complain(line: str) -> None:
    """Write a line to standard error, if there is one."""
    with contextlib.suppress(OSError):
        if sys.stderr is not None:
            sys.stderr.write(f"{line}\n")


def _fail(name: str, message: str, status: int) -> int:
    complain(f"{name}: error: {' '.join(message.split())}")
    return status


def _die(name: str, number: int) -> int:
    _discard(sys.stdout)
    if hasattr(signal, name) and os.name != "nt":
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return 128 + number


def _discard(stream: TextIO | None) -> None:
    """Write what is in a stream's buffer if that is possible, and nothing to it later."""
    if stream is None:
        return
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
        return
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
