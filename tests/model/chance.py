"""Values made by chance, the same ones from the same seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

#: Makes a value out of chance.
Chance = Callable[[Random], T]


def just(value: T) -> Chance[T]:
    return lambda _: value


def sampled(*values: T) -> Chance[T]:
    """One of the values, each as often as it is named."""
    return lambda random: random.choice(values)


def one_of(*chances: Chance[Any]) -> Chance[Any]:
    """What one of them makes, each as often as it is named."""
    return lambda random: random.choice(chances)(random)


def built(function: Callable[..., T], *chances: Chance[Any], **named: Chance[Any]) -> Chance[T]:
    """What the function makes of what each of them makes."""
    return lambda random: function(
        *[chance(random) for chance in chances], **{name: chance(random) for name, chance in named.items()}
    )


def several(chance: Chance[T], least: int, most: int) -> Chance[Sequence[T]]:
    return lambda random: tuple(chance(random) for _ in range(random.randint(least, most)))
