"""Whether a value has a shape, and what is said if not."""

import pytest

from confidentai_admin.emulator._contract.shapes import Field, ListOf, Record, Shape, Text, Truth, Whole
from confidentai_admin.emulator._contract.validation import check
from confidentai_admin.emulator.refusal import Refused

EMAIL = Text(format="email")
UUID = Text(format="uuid")
TIME = Text(format="date-time")
PERSON = Record((Field("name", Text(min_length=1)), Field("note", Text(), required=False, nullable=True)))


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ("", Text()),
        ("x", Text(min_length=1)),
        ("B", Text(choices=("A", "B"))),
        ("a.b+c@sub.example.com", EMAIL),
        ("O'Neil_x@x-y.example", EMAIL),
        ("00000000-0000-4000-8000-00000000000A", UUID),
        ("2026-01-31T09:00:00.000Z", TIME),
        (0, Whole()),
        (1, Whole(minimum=1, maximum=100)),
        (100, Whole(minimum=1, maximum=100)),
        (True, Truth()),
        ([], ListOf(Text())),
        (["x"], ListOf(Text(), min_items=1)),
        ({"name": "x"}, PERSON),
        ({"name": "x", "note": None}, PERSON),
    ],
)
def test_a_value_of_the_shape_passes(value: object, shape: Shape) -> None:
    """Limits are within, and what may be left out or null may."""
    check(value, shape, "it")


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [
        (1, Text(), "it must be a string, not a number."),
        (None, Text(), "it must be a string, not null."),
        (" \t", Text(min_length=1), "it must not be empty."),
        ("C", Text(choices=("A", "B")), "it must be one of A, B."),
        ("1", Whole(), "it must be an integer, not a string."),
        (1.0, Whole(), "it must be an integer, not a number."),
        (True, Whole(), "it must be an integer, not a boolean."),
        (0, Whole(minimum=1), "it must be 1 or more."),
        (101, Whole(maximum=100), "it must be 100 or less."),
        (1, Truth(), "it must be true or false, not a number."),
        ("x", ListOf(Text()), "it must be a list, not a string."),
        ({}, ListOf(Text()), "it must be a list, not an object."),
        ([], ListOf(Text(), min_items=1), "it must have at least 1 item."),
        (["x", 1], ListOf(Text()), "it[1] must be a string, not a number."),
        ([], PERSON, "it must be an object, not a list."),
        ({}, PERSON, "it.name is required."),
        ({"name": None}, PERSON, "it.name must not be null."),
        ({"name": "x", "note": 1}, PERSON, "it.note must be a string, not a number."),
        ({"name": "x", "nmae": "y"}, PERSON, "it.nmae is not a known field here."),
        ({1}, Text(), "it must be a string, not set."),
    ],
)
def test_a_value_of_another_shape_is_refused_by_its_place(value: object, shape: Shape, message: str) -> None:
    """The message names the place and what should be there, and not the value."""
    with pytest.raises(Refused) as caught:
        check(value, shape, "it")
    assert (caught.value.status, caught.value.message) == (400, message)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("", EMAIL),
        ("x", EMAIL),
        ("x@y", EMAIL),
        ("x@y.", EMAIL),
        ("@y.example", EMAIL),
        ("x y@z.example", EMAIL),
        ("x@y@z.example", EMAIL),
        ("x@-y.example", EMAIL),
        ("x@y.example\n", EMAIL),
        ("ü@y.example", EMAIL),
        ("x" * 65 + "@y.example", EMAIL),
        ("x@" + "y" * 250 + ".example", EMAIL),
        ("00000000-0000-4000-8000-00000000000", UUID),
        ("00000000-0000-4000-8000-00000000000g", UUID),
        ("{00000000-0000-4000-8000-000000000000}", UUID),
        ("2026-01-31T09:00:00Z", TIME),
        ("2026-01-31 09:00:00.000Z", TIME),
        ("2026-02-31T09:00:00.000Z", TIME),
    ],
)
def test_a_text_not_of_its_format_is_refused(text: str, shape: Shape) -> None:
    """What only resembles an address, a UUID or a time is none."""
    with pytest.raises(Refused):
        check(text, shape, "it")
