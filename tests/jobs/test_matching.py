"""Which names people take for the same, as a function."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confidentai_admin._jobs.matching import name_key

ALIKE = {
    "a final sigma": ("\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2"),
    "a sharp s in capitals": ("stra\u00dfe", "STRASSE"),
    "a capital letter with a dot": ("\u0130stanbul", "istanbul"),
    "a small letter without a dot": ("Isparta", "\u0131sparta"),
    "a ligature": ("\ufb01le", "file"),
    "full width": ("\uff21\uff23\uff2d\uff25", "acme"),
    "an accent of its own": ("e\u0301", "\u00c9"),
    "an accent behind a joiner": ("e\u034f\u0301", "\u00e9"),
    "a blank that does not break": ("a\u00a0b", "a b"),
    "white space": (" a\t b\n", "a b"),
    **{
        f"U+{ord(unseen):04X}": (f"a{unseen}b", "ab")
        for unseen in "\x00\u00ad\u034f\u115f\u200b\u2800\u3164\ufe0f\ufeff\uffa0"
    },
}


@pytest.mark.parametrize(("one", "other"), ALIKE.values(), ids=ALIKE.keys())
def test_names_that_people_take_for_the_same_have_one_key(one: str, other: str) -> None:
    """Case, white space, what nobody sees, and how a character is written make no other name."""
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize("other", ["Cafe", "Caf\u0435\u0301", "Ca f\u00e9", "Caf\u00e92"])
def test_other_letters_make_another_name(other: str) -> None:
    """An accent, another alphabet, and a blank within tell two names apart."""
    assert name_key(other) != name_key("Caf\u00e9")


@given(st.text())
def test_a_key_is_the_key_of_itself(name: str) -> None:
    """What a name is compared by does not change by being compared again, nor with blanks around it."""
    assert name_key(name_key(name)) == name_key(name) == name_key(f" {name}\t")
