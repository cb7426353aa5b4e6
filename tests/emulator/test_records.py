"""What the emulator keeps its records in."""

from __future__ import annotations

import pytest

from confidentai_admin.emulator._contract.routes import possible
from confidentai_admin.emulator._rules.key_mask import KeyMask
from confidentai_admin.emulator._rules.tables import Members, Table
from confidentai_admin.emulator._rules.world import User


def test_a_table_shows_what_is_in_it() -> None:
    """A test that fails shows the records and not only where they are."""
    users: Table[str, User] = Table(lambda user: user.email)
    users["u"] = User("u", "mia@acme.example")
    members = Members()
    members["u"] = None
    assert (repr(users), repr(members)) == (f"{{'u': {users['u']!r}}}", "{'u': None}")


def test_a_short_key_has_no_mask() -> None:
    """Of a short key, the six characters that a mask shows would say too much."""
    with pytest.raises(ValueError, match="12 characters or more"):
        KeyMask(["12345"])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/v1/projects/{any}/api-keys/{any}/*{any}", set()),
        ("/v1/organization{any}", set()),
        ("/v1/projects/*/*/*/{any}/{any}", set()),
    ],
)
def test_what_no_path_can_fit(pattern: str, expected: set[str]) -> None:
    """An id that has no place left, behind anything or nothing, fits no operation."""
    assert {operation.name for operation in possible(pattern)} == expected
