"""Measure everything, and print it as Markdown: ``python -m benchmarks``; ``--help`` names the options."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys

import attrs

from . import tables
from .measures import MEASURES, Measure
from .ratios import Rounds
from .server_process import ROOT, Server, started_server

_ROUNDS = 7

# Competitors that need not be installed.
_OPTIONAL = ("confidentai", "openai")


def measure_once(measure: Measure, competitor: str, server: Server) -> dict[str, float]:
    """Measure one competitor, in a process of its own."""
    target = server.target(measure)
    # The vendor's client takes a CA from nowhere else.
    trusted = {} if target.ca_file is None else {"SSL_CERT_FILE": target.ca_file, "REQUESTS_CA_BUNDLE": target.ca_file}
    command = [sys.executable, "-m", "benchmarks.worker", measure.name, competitor, json.dumps(attrs.asdict(target))]
    server.reset(measure.projects)
    ran = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env={**os.environ, **trusted}
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
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("there must be a round at least")
    return arguments


def main() -> None:
    """Measure what was asked for."""
    for end in (signal.SIGTERM, signal.SIGHUP):  # so that nothing is left then either
        signal.signal(end, lambda *_: sys.exit(1))
    arguments = _arguments()
    absent = [name for name in _OPTIONAL if importlib.util.find_spec(name) is None]
    if absent:
        _tell(f"not installed, and left out: {', '.join(absent)}")
    found: dict[str, tuple[Measure, Rounds]] = {}
    load = tables.load()
    with started_server() as server:
        for measure in MEASURES:
            if arguments.only and measure.name not in arguments.only:
                continue
            competitors = [competitor for competitor in measure.competitors if competitor not in absent]
            found[measure.name] = measure, measure_all(measure, competitors, arguments.rounds, server)
    parts = [tables.about(load), tables.goals(found), *(tables.measured(*each) for each in found.values())]
    print("\n\n".join(parts))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
