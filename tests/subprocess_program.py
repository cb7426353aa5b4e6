"""Running a program of its own, with a time limit, where a test is about a whole process.

Most of what a small program costs is what it imports. So where there is a fork, an interpreter that has imported it
already waits for programs and forks a process for each: with pipes, a session, an environment and an end of its own.
Where the subject is the very start of an interpreter, ``start=COLD`` gives a new one.
"""

from __future__ import annotations

import atexit
import contextlib
import marshal
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIMIT = 60.0  # seconds: it hangs, be the machine as busy as it may

COLD = ""
"""A new interpreter, which has loaded nothing."""

LIBRARIES = """
import asyncio, concurrent.futures.thread, encodings.idna, ssl
import aiohttp, anyio._backends._asyncio, anyio.lowlevel, anyio.to_thread, attrs, cattrs.cols, cattrs.gen
"""
"""What the package uses is loaded, and nothing of its own: its hooks for exit and forks come when it is imported."""

CLIENT = f"""{LIBRARIES}
import confidentai_admin.emulator
confidentai_admin.AsyncConfidentAI("k" * 20), confidentai_admin.ConfidentAI("k" * 20)
"""
"""The package is loaded as well, with all that its clients and the emulator need."""

# Python 3.12 and later warn of every fork in a process that has threads.
_FORK = "ignore:This process:DeprecationWarning"

_SLOW = re.compile(r"^Executing <.*> took \d+\.\d+ seconds\n", re.MULTILINE)

_SERVER = Path(__file__).with_name("program_server.py")
_COMMAND = "import runpy, sys; exec(*runpy.run_path(sys.argv[1])['next_program'](int(sys.argv[2]), sys.argv[3]))"

# On macOS, the system's own libraries do not bear a fork.
_HAS_FORK = sys.platform == "linux"


def without_slow_steps(errors: str) -> str:
    """Leave out what asyncio's debug mode, part of ``-X dev``, says of steps that take long on a busy machine."""
    return _SLOW.sub("", errors)


@contextlib.contextmanager
def ctrl_c(handler: Any = signal.default_int_handler) -> Iterator[None]:
    """Have Ctrl-C mean what it does in a terminal, in here and in the programs that are started.

    A shell's ``&`` and some CI runners have it ignored, which every child inherits.
    """
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass
class Finished:
    """A program that ended."""

    status: int
    output: str
    errors: str


def _interpreter(options: Sequence[str], *arguments: str, pass_fds: Sequence[int] = ()) -> subprocess.Popen[str]:
    with ctrl_c():
        return subprocess.Popen(
            [sys.executable, *options, "-W", "error", "-W", _FORK, "-c", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
            pass_fds=pass_fds,
        )


class _Server:
    """An interpreter that forks programs, one at a time."""

    def __init__(self, options: Sequence[str], preload: str) -> None:
        self._channel, far = socket.socketpair()
        with far:
            arguments = (_COMMAND, str(_SERVER), str(far.fileno()), preload)
            self._process = _interpreter(options, *arguments, pass_fds=[far.fileno()])
        self._program: int | None = None

    def start(self, source: str, arguments: Sequence[str], pipes: Sequence[int]) -> int:
        """Start a program that has these pipes, and give its number."""
        said = marshal.dumps((source, tuple(arguments), dict(os.environ), str(Path.cwd())))
        socket.send_fds(self._channel, [len(said).to_bytes(4, "big")], pipes)
        self._channel.sendall(said)
        self._program = self._read(signed=False)
        return self._program

    def status(self) -> int:
        """Wait until the program has ended."""
        status = self._read(signed=True)
        self._program = None
        return status

    def _read(self, *, signed: bool) -> int:
        self._channel.settimeout(LIMIT)
        answer = self._channel.recv(4, socket.MSG_WAITALL)
        if not answer:
            raise AssertionError(f"what starts the programs ended\n{self._process.communicate()[1]}")
        return int.from_bytes(answer, "big", signed=signed)

    def end(self) -> None:
        """End, and the program as well that a test may have left under way."""
        if self._program is not None:
            _kill(self._program)
        self._channel.close()
        self._process.communicate()


_servers: list[_Server] = []
_idle: dict[tuple[str, ...], list[_Server]] = {}


@atexit.register
def _end_servers() -> None:
    for server in _servers:
        server.end()


class _Forked:
    """A process that a server has forked; what ``Program`` uses of it is as in ``subprocess.Popen``."""

    def __init__(self, source: str, arguments: Sequence[str], options: Sequence[str], preload: str) -> None:
        self._free = _idle.setdefault((*options, preload), [])
        if not self._free:
            _servers.append(_Server(options, preload))
            self._free.append(_servers[-1])
        self._server = self._free.pop()
        stdin, stdin_end = os.pipe()
        self._stdin: int | None = stdin_end
        (self._stdout, stdout), (self._stderr, stderr) = os.pipe(), os.pipe()
        self.pid = self._server.start(source, arguments, (stdin, stdout, stderr))
        for pipe in (stdin, stdout, stderr):
            os.close(pipe)
        self._said = {self._stdout: bytearray(), self._stderr: bytearray()}
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def communicate(self, text: str = "", timeout: float = LIMIT) -> tuple[str, str]:
        until = time.monotonic() + timeout
        if self._stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._stdin, text.encode())
            os.close(self._stdin)
            self._stdin = None
        with selectors.DefaultSelector() as pipes:
            for pipe in self._said:
                pipes.register(pipe, selectors.EVENT_READ)
            while pipes.get_map():
                ready = pipes.select(until - time.monotonic())
                if not ready:
                    raise subprocess.TimeoutExpired("the program", timeout)
                for key, _ in ready:
                    said = os.read(key.fd, 1 << 16)
                    self._said[key.fd] += said
                    if not said:
                        pipes.unregister(key.fd)
        self.returncode = self._server.status()
        self._free.append(self._server)
        for pipe in self._said:
            os.close(pipe)
        return self._said[self._stdout].decode(), self._said[self._stderr].decode()


def _kill(program: int) -> None:
    # Its children hold the pipes open as well.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program, signal.SIGKILL)


class Program:
    """A Python program under way, strict about warnings. It finds its arguments in ``sys.argv``."""

    def __init__(self, source: str, *arguments: str, options: Sequence[str] = (), start: str = CLIENT) -> None:
        source = textwrap.dedent(source)
        self.process: subprocess.Popen[str] | _Forked
        if start and _HAS_FORK:
            self.process = _Forked(source, arguments, options, start)
        else:
            self.process = _interpreter(options, source, *arguments)

    def finish(self, text: str = "") -> Finished:
        """Give it ``text`` to read and wait for its end."""
        try:
            output, errors = self.process.communicate(text, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            self._kill()
            output, errors = self.process.communicate()
            raise AssertionError(f"the program did not end\n{output}\n{errors}") from None
        assert self.process.returncode is not None
        return Finished(self.process.returncode, output, without_slow_steps(errors))

    def _kill(self) -> None:
        if sys.platform == "win32":
            self.process.send_signal(signal.SIGTERM)
        else:
            _kill(self.process.pid)


def run(source: str, *arguments: str, options: Sequence[str] = (), start: str = CLIENT) -> Finished:
    """Run a program to its end, with more options for Python."""
    return Program(source, *arguments, options=options, start=start).finish()
