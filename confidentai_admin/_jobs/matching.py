"""Finding the one thing that somebody means by a name, an id or an address."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from .._arguments import address_key
from ..errors import AmbiguousMatchError, UnexpectedStateError


class _Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


class _Addressed(Protocol):
    @property
    def email(self) -> str: ...


T = TypeVar("T")
NamedT = TypeVar("NamedT", bound=_Named)
AddressedT = TypeVar("AddressedT", bound=_Addressed)


# Characters that nobody sees and that are neither controls nor formats: the rest of what Unicode calls
# Default_Ignorable_Code_Point, and the empty pattern of Braille.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)


def _as_seen(name: str) -> str:
    kept = "".join(each for each in name if each.isspace() or unicodedata.category(each) not in ("Cc", "Cf"))
    return " ".join(_UNSEEN.sub("", unicodedata.normalize("NFKC", kept)).split())


def name_key(name: str) -> str:
    """What names have in common that people take for the same: they differ only by what ``unlike`` says.

    That is case, white space, characters that are not seen (such as the mark at the beginning of some files), and how
    a character is written: a letter and its accent as one or two, a ligature, a form of full width.
    """
    # A capital letter may have two small ones, and a Turkish one has a dot more or less.
    folded = _as_seen(name).casefold().replace("i\u0307", "i").replace("\u0131", "i")
    return _as_seen(folded)


def unlike(name: str, there: str) -> str:
    """How a name differs from one that is there and has the same ``name_key``, as the end of a sentence."""
    how = f"but {there!r}, which differs only by case, white space, or in characters that look the same"
    # The two may be printed alike.
    return how if (name + there).isascii() else f"{how} ({there!a}, and not {name!a})"


def only(matches: Sequence[T], what: str) -> T | None:
    """The one match, or ``None``.

    Raises:
        AmbiguousMatchError: There are several.
    """
    if len(matches) > 1:
        raise AmbiguousMatchError(f"there are {len(matches)} of {what}, and one is meant")
    return matches[0] if matches else None


def find_named(items: Iterable[NamedT], name: str, kind: str) -> NamedT | None:
    """The item of this very name, or ``None``.

    Raises:
        AmbiguousMatchError: There are several.
    """
    return only([item for item in items if item.name == name], f"the {kind} {name!r}")


def find_address(items: Iterable[AddressedT], email: str, kind: str) -> AddressedT | None:
    """The item of this address, or ``None``.

    Raises:
        AmbiguousMatchError: There are several.
    """
    key = address_key(email)
    return only([item for item in items if address_key(item.email) == key], f"the {kind} {email!r}")


def resolve(items: Iterable[NamedT], name_or_id: str, kind: str) -> NamedT:
    """The item of this id or this very name.

    Raises:
        AmbiguousMatchError: There are several, such as one of this id and another of this name.
        UnexpectedStateError: There is none.
    """
    known = list(items)
    found = only([item for item in known if name_or_id in (item.id, item.name)], f"the {kind} {name_or_id!r}")
    if found is None:
        alike = [item for item in known if name_key(item.name) == name_key(name_or_id)]
        if alike:
            raise UnexpectedStateError(
                f"there is no {kind} {name_or_id!r}, {unlike(name_or_id, alike[0].name)}: give its name"
            )
        names = ", ".join(sorted(item.name for item in known)) or "none"
        raise UnexpectedStateError(f"there is no {kind} {name_or_id!r}, by name or id; there are: {names}")
    return found
