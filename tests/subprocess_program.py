"""Running a program of its own, with a time limit, where a test is about a whole process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

LIMIT = 20.0  # seconds, for a machine that is busy

# Python 3.12 and later warn of every fork in a process that has threads.
_FORK = "ignore:This process:DeprecationWarning"

_SLOW = re.compile(r"^Executing <.*> took \d+\.\d+ seconds\n", re.MULTILINE)


def without_slow_steps(errors: str) -> str:
    """Leave out what asyncio's debug mode, part of ``-X dev``, says of steps that take long on a busy machine."""
    return _SLOW.sub("", errors)


@dataclass
class Finished:
    """A program that ended."""

    status: int
    output: str
    errors: str


class Program:
    """A Python program under way, strict about warnings. It finds its arguments in ``sys.argv``."""

    def __init__(self, source: str, *arguments: str, options: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *options, "-W", "error", "-W", _FORK, "-c", textwrap.dedent(source), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )

    def finish(self, text: str = "") -> Finished:
        """Give it ``text`` to read and wait for its end."""
        try:
            output, errors = self.process.communicate(text, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            self._kill()
            output, errors = self.process.communicate()
            raise AssertionError(f"the program did not end\n{output}\n{errors}") from None
        return Finished(self.process.returncode, output, without_slow_steps(errors))

    def _kill(self) -> None:
        # Its children hold the pipes open as well.
        if sys.platform == "win32":
            self.process.kill()
        else:
            os.killpg(self.process.pid, signal.SIGKILL)


def run(source: str, *arguments: str, options: Sequence[str] = ()) -> Finished:
    """Run a program to its end, with more options for Python."""
    return Program(source, *arguments, options=options).finish()
