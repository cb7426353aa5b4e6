"""How often an answer is structured: once, and the quick way."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from confidentai_admin import (
    APIResponseValidationError,
    ConfidentAI,
    OrganizationMember,
    Policy,
    Project,
)
from confidentai_admin._api import structuring
from confidentai_admin._api.structuring import structure

from ..client.scripted_server import answer, scripted_server
from ..operations.cases import CASES
from ..operations.faces import done, opened

KEY = "confident_us_org_" + "k" * 43


class Counted:
    """A converter that notes what it structures."""

    def __init__(self, converter: Any) -> None:
        self._converter = converter
        self.kinds: list[Any] = []

    def get_structure_hook(self, kind: Any) -> Any:
        """What structures a type."""
        structure = self._converter.get_structure_hook(kind)

        def counted(data: Any, kind: Any) -> Any:
            self.kinds.append(kind)
            return structure(data, kind)

        return counted

    def structure(self, data: Any, kind: Any) -> Any:
        """Structure data."""
        return self.get_structure_hook(kind)(data, kind)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """What the quick way structures."""
    counted = Counted(structuring._quick)
    monkeypatch.setattr(structuring, "_quick", counted)
    return counted


@pytest.fixture
def thorough(monkeypatch: pytest.MonkeyPatch) -> Counted:
    """What the thorough way structures."""
    counted = Counted(structuring._thorough)
    monkeypatch.setattr(structuring, "_thorough", counted)
    return counted


async def test_a_good_answer_is_structured_once(face: type[ConfidentAI], quick: Counted, thorough: Counted) -> None:
    """The answer of each operation is structured once, the quick way, and not a second time."""
    with scripted_server(*(answer(case.data) for case in CASES)) as server:
        async with opened(face(KEY, base_url=server.url)) as client:
            for number, case in enumerate(CASES, 1):
                await done(case.call(client))
                assert len(quick.kinds) == number, case.operation
    assert thorough.kinds == []


async def test_a_bad_answer_is_structured_twice(face: type[ConfidentAI], quick: Counted, thorough: Counted) -> None:
    """An answer that does not fit is looked at a second time, to say what is wrong, and no more."""
    with scripted_server(answer({"projects": [{"id": "p", "name": 7}]})) as server:
        async with opened(face(KEY, base_url=server.url)) as client:
            with pytest.raises(APIResponseValidationError, match=r"projects\[0\].name must be a string"):
                await done(client.projects.list())
    assert len(quick.kinds) == len(thorough.kinds) == 1


@pytest.mark.parametrize(
    ("kind", "item", "calls"),
    [
        (OrganizationMember, {"id": "u", "email": "a@b.c", "organizationRole": {"id": "r", "name": "Member"}}, 2),
        (Policy, {"id": "p", "name": "n", "description": None}, 1),
        # And two for its time.
        (Project, {"id": "p", "name": "n", "created_at": "2026-01-01T00:00:00.000Z", "governancePolicy": None}, 3),
    ],
)
def test_an_item_is_a_call_for_each_of_its_objects(kind: Any, item: dict[str, Any], calls: int) -> None:
    """To structure an object is one call of a function, in which all of its texts are looked at."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    def cost(items: list[Any]) -> int:
        nonlocal count
        structure(items, list[kind])  # what is made once for all is not counted
        count = 0
        sys.setprofile(note)
        try:
            structure(items, list[kind])
        finally:
            sys.setprofile(None)
        return count

    assert cost([item] * 100) - cost([]) == 100 * calls
