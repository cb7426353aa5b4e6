"""The results as Markdown."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .goals import GOALS, Goal
from .measures import Figure, Measure
from .ratios import Rounds, ratios, values_of

_LIBRARIES = ("aiohttp", "anyio", "attrs", "cattrs", "urllib3", "confidentai", "pydantic", "openai")


def _processor() -> str:
    """What kind of core it has, where the system says so."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return " of " + next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return ""


def load() -> str:
    """How busy the machine is: how many processes wanted a core, in the last minute."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"  # Windows


def about(load_before: str) -> str:
    """When, with what, and on what kind of machine, which had this ``load`` when the run began."""
    installed = {each.name.lower(): each.version for each in importlib.metadata.distributions()}
    versions = [f"{name} {installed[name]}" for name in _LIBRARIES if name in installed]
    today = datetime.datetime.now(datetime.UTC).date()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{platform.system()}, {platform.machine()}, {os.cpu_count()} cores{_processor()}"
    busy = f"Its load was {load_before} before the run, and {load()} at its end: up to 2 are the run's own."
    return f"Measured on {today}, with {python} on {machine}; {', '.join(versions)}. {busy}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, in which all columns but the first are numbers."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def measured(measure: Measure, rounds: Rounds) -> str:
    """The table of one measure."""
    head, columns = ["competitor"], [list(rounds)]
    for figure in measure.figures:
        values = [values_of(rounds, competitor, figure.key) for competitor in rounds]
        head.append(figure.heading)
        columns.append([_number(statistics.median(each), figure) for each in values])
        if any(min(each) != max(each) for each in values):
            head.append("from to")
            columns.append([f"{_number(min(each), figure)} to {_number(max(each), figure)}" for each in values])
        if figure.has_ratio:
            head.append("ratio")
            columns.append([_ratio(ratios(measure, rounds, competitor, figure.key)) for competitor in rounds])
    count = len(next(iter(rounds.values())))
    return f"### {measure.title} ({count} round{'s' * (count > 1)})\n\n{_table(head, zip(*columns, strict=True))}"


def _number(value: float, figure: Figure) -> str:
    return f"{value:,.{figure.digits}f}"


def _ratio(by_round: Sequence[float]) -> str:
    if not by_round:
        return ""
    spread = f" ({min(by_round):.2f} to {max(by_round):.2f})" if len(by_round) > 1 else ""
    return f"{statistics.median(by_round):.2f}{spread}"


def goals(found: Mapping[str, tuple[Measure, Rounds]]) -> str:
    """The table of what is reached."""
    rows = [_row(goal, *found[goal.measure]) for goal in GOALS if goal.measure in found]
    return f"### Goals\n\n{_table(('what', 'goal', 'then', 'measured', 'reached'), rows)}"


def _row(goal: Goal, measure: Measure, rounds: Rounds) -> Sequence[str]:
    sign = "≤" if goal.at_most else "≥"
    then = "" if goal.then is None else f"{sign} {goal.then:g}"
    by_round = goal.measured(measure, rounds)
    if not by_round:
        return goal.what, f"{sign} {goal.limit:g}", then, "", "not measured"
    measured = statistics.median(by_round)
    shown = _ratio(by_round) if goal.is_ratio else f"{measured:.3g}"
    if goal.is_met(measured, goal.then):
        is_reached = "yes, both"
    else:
        is_reached = "yes" if goal.is_met(measured, goal.limit) else "no"
    return goal.what, f"{sign} {goal.limit:g}", then, shown, is_reached
