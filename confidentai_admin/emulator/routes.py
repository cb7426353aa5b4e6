"""From a method and a raw path to the operation that is meant, and the ids in the path."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import attrs

from .contract import OPERATIONS, Operation


@attrs.frozen
class Route:
    """An operation, and the decoded ids from the path by parameter name."""

    operation: Operation
    ids: Mapping[str, str]


@attrs.frozen
class WrongMethod:
    """A path that exists, asked for by a method that it does not have."""

    allowed: tuple[str, ...]


_TEMPLATES: Final = [(tuple(operation.path.split("/")), operation) for operation in OPERATIONS]


def find(method: str, raw_path: str) -> Route | WrongMethod | None:
    """Find the route of a request; `raw_path` is the path as it was sent, still percent-encoded.

    Each segment is decoded by itself, so that an encoded slash stays within its id.
    """
    segments = raw_path.split("/")
    allowed: list[str] = []
    for template, operation in _TEMPLATES:
        ids = _match(template, segments)
        if ids is None:
            continue
        if operation.method == method:
            return Route(operation, ids)
        allowed.append(operation.method)
    return WrongMethod(tuple(allowed)) if allowed else None


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
