"""The recipes for contributors: what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("CONTRIBUTING.md", "docs/architecture.md")}


@pytest.mark.parametrize("name", TEXTS)
def test_every_file_that_is_named_is_there(name: str) -> None:
    """A path in the recipes, or a module in the table of rooms, can be opened."""
    places = (ROOT, ROOT / "confidentai_admin")
    named = set(re.findall(r"`([\w./]+(?:\.py|\.md|/))`|`((?:confidentai_admin|tests)/[\w/]+)`", TEXTS[name]))
    paths = {first or second for first, second in named}
    assert len(paths) > 8
    for path in paths:
        found = any((place / path).exists() for place in places) or list((ROOT / "confidentai_admin").rglob(path))
        assert found, path


def test_the_recipes_lead_all_the_way() -> None:
    """Each module of operations has its noun, its facade, its cases and its part of the emulator."""
    for name in ("api_keys", "governance", "invitations", "members", "organization", "projects"):
        for place in ("_operations", "_async", "_sync", "emulator/_rules"):
            assert (ROOT / "confidentai_admin" / place / f"{name}.py").exists(), (place, name)
        assert (ROOT / "tests" / "operations" / "cases" / f"{name}.py").exists(), name
