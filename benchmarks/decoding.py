"""Decoding alone, without a server: from the bytes of an answer to what a call returns.

The only place that knows by which functions this client's transport reads an answer.
"""

from __future__ import annotations

import gc
import importlib
import json
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from . import answers, timing
from .target import Target
from .timing import Values

_SECONDS = 1.0

Decode = Callable[[bytes], Sequence[object]]


def _plain(key: str) -> Decode:
    def decode(body: bytes) -> Sequence[object]:
        items: Sequence[object] = json.loads(body)["data"][key]
        return items

    return decode


def _ours(key: str) -> Decode:
    from confidentai_admin._api.answers import Answer
    from confidentai_admin._api.calls import ORGANIZATION
    from confidentai_admin._api.v1 import V1
    from confidentai_admin._operations.members import list_members
    from confidentai_admin._operations.projects import list_projects
    from confidentai_admin._secrets import Received
    from confidentai_admin.models import OrganizationMember

    of_members = list_members(ORGANIZATION, OrganizationMember, page=None, page_size=None)

    def members(body: bytes) -> Sequence[object]:
        found = V1.read(of_members, Answer.of(200, {}, Received(body)))
        assert isinstance(found, Sequence)
        return found

    def projects(body: bytes) -> Sequence[object]:
        found = V1.read(list_projects(), Answer.of(200, {}, Received(body)))
        assert isinstance(found, list)
        return found

    return members if key == "members" else projects


def _vendor(key: str) -> Decode:
    types: Any = importlib.import_module("confidentai.types")
    place, name = ("organization.members", "Members") if key == "members" else ("projects", "Projects")
    model: Any = getattr(importlib.import_module(f"confidentai.{place}.types"), f"{name}HttpResponse")

    def decode(body: bytes) -> Sequence[object]:
        items: Sequence[object] = getattr(model(**types.ApiResponse(**json.loads(body)).data), key)
        return items

    return decode


_DECODERS: dict[str, Callable[[str], Decode]] = {
    "json": _plain,
    "confidentai_admin": _ours,
    "json, again": _plain,
    "confidentai": _vendor,
}

COMPETITORS = tuple(_DECODERS)


def _body(key: str) -> bytes:
    return answers.envelope(answers.members(1) if key == "members" else answers.projects())


def time_of(key: str, times: int) -> Callable[[str, Target], Values]:
    """A measure: how long it takes to decode 100 members, or 5,000 projects."""

    def measure(competitor: str, _: Target) -> Values:
        decode, body = _DECODERS[competitor](key), _body(key)
        timing.one_after_another(lambda: decode(body), max(times // 20, 2), _SECONDS)
        return timing.one_after_another(lambda: decode(body), times, _SECONDS)

    return measure


def memory_kept(competitor: str, _: Target) -> Values:
    """The memory that 5,000 projects keep, in megabytes."""
    decode, body = _DECODERS[competitor]("projects"), _body("projects")
    decode(body)  # what is made once for all is not counted
    gc.collect()
    tracemalloc.start()
    kept = decode(body)
    gc.collect()
    size, _most = tracemalloc.get_traced_memory()
    assert len(kept) == answers.PROJECTS
    return {"kept": size / 1e6}
