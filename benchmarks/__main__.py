"""Measure everything, and print it as Markdown: ``python -m benchmarks``; ``--help`` names the options."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from . import tables
from .measures import MEASURES, Measure
from .ratios import Rounds
from .target import Target

_ROOT = Path(__file__).parent.parent
_ROUNDS = 7

# Competitors that need not be installed.
_OPTIONAL = ("confidentai", "openai")


class Server:
    """The server, which is a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._place: dict[str, str] = self._read()

    def target(self, measure: Measure) -> Target:
        """What the competitors of a measure connect to."""
        url = self._place["tls" if measure.tls else "plain"]
        return Target(url + measure.prefix, self._place["ca_file"] if measure.tls else None, measure.connections)

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
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        try:
            yield Server(process)
        finally:
            process.communicate()  # it ends with its standard input


def measure_once(measure: Measure, competitor: str, server: Server) -> dict[str, float]:
    """Measure one competitor, in a process of its own."""
    target = server.target(measure)
    # The vendor's client takes a CA from nowhere else.
    trusted = {} if target.ca_file is None else {"SSL_CERT_FILE": target.ca_file, "REQUESTS_CA_BUNDLE": target.ca_file}
    command = [sys.executable, "-m", "benchmarks.worker", measure.name, competitor, json.dumps(attrs.asdict(target))]
    server.reset(measure.projects)
    ran = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, cwd=_ROOT, env={**os.environ, **trusted}
    )
    return {**json.loads(ran.stdout), **server.counts()}


def measure_all(measure: Measure, competitors: list[str], rounds: int, server: Server) -> Rounds:
    """Measure the competitors in rounds, in each of which another one is the first."""
    found: Rounds = {competitor: [] for competitor in competitors}
    for number in range(min(rounds, measure.rounds)):
        _tell(f"{measure.name}: round {number + 1}")
        first = number % len(competitors)
        for competitor in competitors[first:] + competitors[:first]:
            found[competitor].append(measure_once(measure, competitor, server))
    if measure.same_requests:
        requests = {competitor: {each["requests"] for each in values} for competitor, values in found.items()}
        if len(set().union(*requests.values())) > 1:
            raise SystemExit(f"{measure.name}: not the same number of requests: {requests}")
    return found


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure everything, and print it as Markdown."
    )
    parser.add_argument(
        "--rounds", type=int, default=_ROUNDS, help="how many there are at most; %(default)s if not given"
    )
    names = [measure.name for measure in MEASURES]
    parser.add_argument("--only", action="append", choices=names, metavar="MEASURE", help=f"one of {', '.join(names)}")
    return parser.parse_args()


def main() -> None:
    """Measure what was asked for."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left then either
    arguments = _arguments()
    absent = [name for name in _OPTIONAL if importlib.util.find_spec(name) is None]
    if absent:
        _tell(f"not installed, and left out: {', '.join(absent)}")
    found: dict[str, tuple[Measure, Rounds]] = {}
    with started_server() as server:
        for measure in MEASURES:
            if arguments.only and measure.name not in arguments.only:
                continue
            competitors = [competitor for competitor in measure.competitors if competitor not in absent]
            found[measure.name] = measure, measure_all(measure, competitors, arguments.rounds, server)
    parts = [tables.about(), tables.goals(found), *(tables.measured(*each) for each in found.values())]
    print("\n\n".join(parts))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
