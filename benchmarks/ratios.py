"""What the rounds come to."""

from __future__ import annotations

import statistics

from .measures import Measure
from .timing import Values

#: Of each competitor, what was measured in each round.
Rounds = dict[str, list[Values]]

_AGAIN = ", again"


def is_floor(measure: Measure, competitor: str) -> bool:
    """Whether it is what the others are compared with."""
    return competitor.removesuffix(_AGAIN) == measure.competitors[0]


def values_of(rounds: Rounds, competitor: str, key: str) -> list[float]:
    """A competitor's values, by round."""
    return [values[key] for values in rounds[competitor]]


def ratios(measure: Measure, rounds: Rounds, competitor: str, key: str) -> list[float]:
    """By round, the value by the floor's, or by the mean of the floor's two; none if there is no floor."""
    floors = [values_of(rounds, other, key) for other in rounds if is_floor(measure, other)]
    if not floors:
        return []
    of_round: list[float] = [statistics.mean(values) for values in zip(*floors, strict=True)]
    return [value / floor for value, floor in zip(values_of(rounds, competitor, key), of_round, strict=True)]


def ratio(measure: Measure, rounds: Rounds, competitor: str, key: str) -> float | None:
    """The median of the rounds' ratios, if there is a floor."""
    found = ratios(measure, rounds, competitor, key)
    return statistics.median(found) if found else None
