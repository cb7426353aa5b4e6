"""A small vocabulary for the shapes of JSON values: what the contract's table is written in."""

from typing import Literal, TypeAlias

import attrs


@attrs.frozen
class Text:
    """A string, perhaps of a known format, perhaps one of a few words."""

    min_length: int = 0
    format: Literal["email", "uuid", "date-time", "moment"] | None = None
    """`date-time` is a time as the API writes it, `moment` one as ISO 8601 has it, with an offset."""
    choices: tuple[str, ...] = ()
    trimmed: bool = False
    """Whether white space around it does not count."""


@attrs.frozen
class Whole:
    """An integer, perhaps between two bounds (both included)."""

    minimum: int | None = None
    maximum: int | None = None


@attrs.frozen
class Seconds:
    """A number of seconds, whole or not: finite, and not negative."""


@attrs.frozen
class Truth:
    """`true` or `false`."""


@attrs.frozen
class ListOf:
    """A list whose items all have one shape."""

    item: "Shape"
    min_items: int = 0
    max_items: int | None = None


@attrs.frozen
class Field:
    """One named value of an object.

    `default` is what a query parameter means when it is left out; bodies and answers have no defaults.
    """

    name: str
    shape: "Shape"
    required: bool = True
    nullable: bool = False
    default: int | None = None


@attrs.frozen
class Record:
    """An object with these fields and no others, and perhaps at least so many of them."""

    fields: tuple[Field, ...] = ()
    min_fields: int = 0


Shape: TypeAlias = Text | Whole | Seconds | Truth | ListOf | Record
