"""What the rounds come to."""

from __future__ import annotations

from .measures import Measure
from .timing import Values

#: Of each competitor, what was measured in each round.
Rounds = dict[str, list[Values]]


def values_of(rounds: Rounds, competitor: str, key: str) -> list[float]:
    """A competitor's values, by round."""
    return [values[key] for values in rounds[competitor]]


def ratios(measure: Measure, rounds: Rounds, competitor: str, key: str) -> list[float]:
    """By round, the value by the floor's; none if the floor was not measured."""
    floor = measure.competitors[0]
    if floor not in rounds:
        return []
    pairs = zip(values_of(rounds, competitor, key), values_of(rounds, floor, key), strict=True)
    return [value / least for value, least in pairs]
