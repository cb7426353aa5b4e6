"""From a method and a raw path to the operation that is meant, and the ids in the path."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final
from urllib.parse import unquote

import attrs

from .operation import Operation
from .versions import VERSIONS, operations_of


@attrs.frozen
class Route:
    """An operation, and the decoded ids from the path by parameter name."""

    operation: Operation
    ids: Mapping[str, str]


@attrs.frozen
class WrongMethod:
    """A path that exists, asked for by a method that it does not have."""

    allowed: tuple[str, ...]


_TEMPLATES: Final = {
    version: [(tuple(operation.path.split("/")), operation) for operation in operations]
    for version, operations in VERSIONS.items()
}


def find(method: str, raw_path: str, versions: Collection[str] = tuple(VERSIONS)) -> Route | WrongMethod | None:
    """Find the route of a request in one of these versions.

    `raw_path` is the path as it was sent, still percent-encoded. Each segment is decoded by itself, so that an encoded
    slash stays within its id.
    """
    segments = raw_path.split("/")
    version = "".join(segments[1:2])
    allowed: list[str] = []
    for template, operation in _TEMPLATES[version] if version in versions else ():
        ids = _match(template, segments)
        if ids is None:
            continue
        if operation.method == method:
            return Route(operation, ids)
        allowed.append(operation.method)
    return WrongMethod(tuple(allowed)) if allowed else None


def parts(pattern: str) -> list[str]:
    """Split a pattern into its characters, with `ANY_ID` for a name in braces."""
    return [ANY_ID if len(part) > 1 else part for part in _PARTS.findall(pattern)]


def possible(pattern: str, versions: Collection[str] = tuple(VERSIONS)) -> list[Operation]:
    """Give the operations whose paths, with some ids, fit a pattern in which `*` is anything and `{name}` any id.

    A pattern that names no version fits those of each.
    """
    has_version = begins_with_a_version(pattern)
    return [
        operation
        for operation in operations_of(versions)
        if _can_fit(_letters(operation.path), pattern)
        or (not has_version and _can_fit(_letters(operation.bare_path), pattern))
    ]


def begins_with_a_version(pattern: str) -> bool:
    """Whether a path, or a pattern of one, says which version of the API is meant."""
    return "".join(pattern.split("/", 2)[1:2]) in VERSIONS


def in_any_version(expression: str) -> str:
    """Give a regular expression of the paths in any version, or none, of one for a path without a version."""
    return f"(?:/(?:{'|'.join(VERSIONS)}))?{expression}"


#: What stands in a pattern for any one id.
ANY_ID: Final = "{}"
_PARTS: Final = re.compile(r"{[^{}/*]+}|.", re.DOTALL)

# What stands in a path for an id: one character that is no slash, and any number of them.
_ONE: Final = "one"
_MORE: Final = "more"


def _letters(path: str) -> list[str]:
    parts = [(*part.partition("}")[::2],) for part in path.split("{")[1:]]
    return [*path.partition("{")[0], *(letter for _, text in parts for letter in (_ONE, _MORE, *text))]


def _can_fit(letters: list[str], pattern: str) -> bool:
    """Whether a path of these letters can fit: each character of the pattern moves all places where one may be."""
    places = {0}
    for character in parts(pattern):
        if character == "*":
            places = set(range(min(places), len(letters) + 1))
            continue
        if character == ANY_ID:
            places = {end for place in places for end in _ends(letters, place)}
            if not places:
                return False
            continue
        following: set[int] = set()
        for place in places:
            letter = letters[place] if place < len(letters) else ""
            if letter == character or (letter == _ONE and character != "/"):
                following.add(place + 1)
            elif letter == _MORE and character != "/":
                following.add(place)
        # Any number may be none.
        places = following | {place + 1 for place in following if letters[place : place + 1] == [_MORE]}
        if not places:
            return False
    return len(letters) in places


def _ends(letters: list[str], place: int) -> Iterator[int]:
    """Give the places where a part of a path can end that begins here: behind one character or more, but no slash."""
    if letters[place : place + 1] == [_MORE]:
        yield place
    while place < len(letters) and letters[place] != "/":
        place += 1
        yield place


def _match(template: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    if len(template) != len(segments):
        return None
    ids: dict[str, str] = {}
    for expected, segment in zip(template, segments, strict=True):
        if expected.startswith("{"):
            if not segment:
                return None
            ids[expected[1:-1]] = unquote(segment)
        elif expected != segment:
            return None
    return ids
