"""The server's process, and orders to it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .target import Target

if TYPE_CHECKING:
    from .measures import Measure

ROOT = Path(__file__).parent.parent


class Server:
    """The server, which is a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._place: dict[str, str] = self._read()

    def target(self, measure: Measure) -> Target:
        """What the competitors of a measure connect to."""
        url = self._place["tls" if measure.tls else "plain"]
        return Target(url + measure.prefix, self._place["ca_file"] if measure.tls else None, measure.connections)

    @property
    def plain_url(self) -> str:
        """Where it is without TLS."""
        return self._place["plain"]

    def reset(self, projects: int) -> None:
        """Have it begin anew."""
        self._order(f"reset {projects}")

    def counts(self) -> dict[str, float]:
        """How many connections and requests there were since."""
        counts: dict[str, float] = self._order("counts")
        return counts

    def _order(self, line: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextlib.contextmanager
def started_server() -> Iterator[Server]:
    """The server, for as long as the block takes."""
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield Server(process)
        finally:
            process.communicate()  # it ends with its standard input
