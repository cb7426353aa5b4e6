"""What ids, key values and times look like."""

import re
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest

from confidentai_admin.emulator._rules.ids import Ids
from confidentai_admin.emulator.clock import Clock, timestamp
from confidentai_admin.emulator.refusal import RULES


def test_ids_have_the_forms_of_the_real_ones() -> None:
    """Cuids have 25 characters and begin with a c, UUIDs are of version 4, integers count up."""
    ids = Ids()
    assert re.fullmatch(r"c[a-z0-9]{24}", ids.cuid("project"))
    assert uuid.UUID(ids.uuid("role")).version == 4
    first = ids.integer("api-key")
    assert [ids.integer("api-key"), ids.integer("api-key")] == [first + 1, first + 2]


@pytest.mark.parametrize("word", ["org", "proj"])
def test_key_values_say_their_scope_and_are_long(word: str) -> None:
    """A key's value has the scope in its prefix and a long tail that does not repeat."""
    ids = Ids()
    values = {ids.key_value(word) for _ in range(100)}
    assert len(values) == 100
    assert all(re.fullmatch(rf"confident_us_{word}_[A-Za-z0-9]{{40,}}", value) for value in values)


def test_each_kind_has_a_sequence_of_its_own() -> None:
    """How many ids of one kind were made does not change those of another."""
    one, other = Ids(3), Ids(3)
    other.uuid("role")
    other.cuid("user")
    assert one.cuid("project") == other.cuid("project")
    assert Ids(3).cuid("project") != Ids(4).cuid("project")


def test_times_have_milliseconds_and_a_z() -> None:
    """A time is written in UTC, cut to milliseconds."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 6_999, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(moment) == "2026-01-02T01:04:05.006Z"
    assert Clock().now().tzinfo is UTC


def test_every_rule_has_one_name() -> None:
    """Rules can be told apart by name; those by which requests are refused have a status of the 4xx, the others 200."""
    assert len({rule.name for rule in RULES}) == len(RULES) > 20
    lenient = {rule.name: (rule.status, rule.standing) for rule in RULES if not 400 <= rule.status < 500}
    names = ["nothing-to-update", "role-already", "valid-already", "nobody-to-invite", "no-right-id", "page-beyond-end"]
    assert lenient == dict.fromkeys(names, (200, "assumed"))
