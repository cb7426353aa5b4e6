"""What callers pass: ids, paths and lists, and errors that say what is wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

_LONGEST_ADDRESS = 254  # characters

T = TypeVar("T")

# Arguments that are an id, or may be one, besides those that are called so.
_IDS = ("expect_current", "governance_policy", "role")


def plain(value: T) -> T:
    """``value`` as what it is itself, if it is a text or a number of a subclass, such as a member of an enumeration.

    The ``str()`` of such a one may be its name.
    """
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if isinstance(value, str):
        return str.__str__(value)  # type: ignore[return-value]
    if isinstance(value, int):
        return int.__int__(value)  # type: ignore[return-value]
    return float.__float__(value) if isinstance(value, float) else value  # type: ignore[return-value]


def whole_number(name: str, value: object, *, minimum: int | None = None) -> int:
    """``value`` if it is an integer of at least ``minimum``, else a ``TypeError`` or ``ValueError`` that names it."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    value = plain(value)
    if minimum is not None and value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, not {value}")
    return value


def positive_number(name: str, value: object, what: str) -> float:
    """``value`` if it is a number of ``what`` that is positive and finite, else an error that names it."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of {what}, not {type(value).__name__}")
    value = plain(value)
    if not 0 < value <= sys.float_info.max:
        raise ValueError(f"{name} must be a positive, finite number of {what}")
    return value


def truth(name: str, value: object) -> bool:
    """``value`` if it is ``True`` or ``False``, else a ``TypeError`` that names it."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {type(value).__name__}")
    return value


def misfit(name: str, wanted: str, value: object) -> TypeError:
    """The error of an argument that is no id, and where the id is, if what was given has one."""
    told = "None (a lookup that finds nothing gives that)" if value is None else type(value).__name__
    return TypeError(f"{name} must be {wanted}, not {told}{_way_to_id(value)}")


def _way_to_id(value: object) -> str:
    if isinstance(getattr(value, "id", None), (str, int)):
        return ": pass its .id"
    if isinstance(getattr(getattr(value, "project", None), "id", None), str):
        return ": pass its .project.id"
    return ""


def path_segment(name: str, value: str | int) -> str:
    """``value`` as one percent-encoded segment of a path.

    Raises:
        TypeError: It is neither a string nor an integer.
        ValueError: It is empty or blank, ``.`` or ``..``, or no valid Unicode: it would name something else.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise misfit(name, "a string or an integer", value)
    text = str(plain(value))
    if not text.strip():
        raise ValueError(f"{name} is empty: nothing has such an id")
    if text in (".", ".."):
        raise ValueError(f"{name} is {text!r}, which is no id: in a path it would name something else")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise ValueError(f"{name} is not valid Unicode") from None


def number_id(value: T) -> T | int:
    """An id that is a number as that, if it is a text of digits; anything else as it is."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value


def request_path(path: str) -> str:
    """A path that a caller wrote, percent-encoded where it must be.

    Raises:
        TypeError: It is not a string.
        ValueError: It does not begin with a slash, has a query, a fragment or a dot segment, or is no valid Unicode.
    """
    if not isinstance(path, str):
        raise TypeError(f"path must be a string, not {type(path).__name__}")
    if not path.startswith("/"):
        raise ValueError("path must begin with a slash, and is what follows the base URL")
    if "?" in path or "#" in path:
        raise ValueError("path must have no query and no fragment: pass a query as params=")
    if any(segment.lower().replace("%2e", ".") in (".", "..") for segment in path.split("/")):
        raise ValueError("path must have no segment that is . or ..")
    try:
        return quote(path, safe="/%:@!$&'()*+,;=~")
    except UnicodeEncodeError:
        raise ValueError("path is not valid Unicode") from None


def text_list(name: str, values: Iterable[str], *, empty: bool = True) -> list[str]:
    """``values`` as a list.

    Raises:
        TypeError: It is one string and not several, or an item is not a string.
        ValueError: It is empty although ``empty`` is false.
    """
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list of strings, not {type(values).__name__}")
    texts = [plain(value) for value in values]
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(
                f"{name} must be a list of strings, but there is a {type(text).__name__} in it{_way_to_id(text)}"
            )
    if not texts and not empty:
        raise ValueError(f"{name} is empty: the API wants at least one")
    return texts


def query(params: Mapping[str, Any]) -> str:
    """``params`` as the query of a URL, its question mark included; what is ``None`` is left out.

    Raises:
        TypeError: It is no mapping, or a value is neither a string, nor a number, nor a boolean, nor a list of these.
        ValueError: A value is no valid Unicode.
    """
    if not isinstance(params, Mapping):
        raise TypeError(f"params must be a mapping, not {type(params).__name__}")
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if item is None:
                continue
            if not isinstance(item, (str, int, float)):
                raise TypeError(f"the parameter {name} is a {type(item).__name__}, which a query has no form for")
            pairs.append((plain(name), str(item).lower() if isinstance(item, bool) else str(plain(item))))
    try:
        return f"?{urlencode(pairs)}" if pairs else ""
    except UnicodeEncodeError:
        raise ValueError("a parameter is not valid Unicode") from None


def text(name: str, value: object) -> str:
    """``value`` if it is a string with something in it, else a ``TypeError`` or ``ValueError`` that names it."""
    if not isinstance(value, str):
        if name.endswith("_id") or name in _IDS:
            raise misfit(name, "a string", value)
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if not value.strip():
        raise ValueError(f"{name} is empty")
    return plain(value)


def address_key(email: str) -> str:
    """What addresses are compared by: the API does so without case.

    Not by ``casefold``, for which some different letters are one, as in weiß and weiss: they may be two people.
    """
    return email.strip().lower()


def address(name: str, value: object) -> str:
    """``value`` without the white space around it if it looks like an address, else an error as of ``text``."""
    given = text(name, value).strip()
    if (wrong := what_is_wrong_with(given)) is not None:
        raise ValueError(f"{name} is no e-mail address: {wrong}")
    return given


def what_is_wrong_with(address: str) -> str | None:
    """Why this cannot be an address; the finer points are the server's to say."""
    name, _, host = address.partition("@")
    if not address:
        return "it is empty"
    if len(address) > _LONGEST_ADDRESS:
        return f"it is longer than {_LONGEST_ADDRESS} characters"
    if any(character.isspace() or character in ",;<>" for character in address):
        return "there is a blank, a comma, a semicolon or an angle bracket in it"
    if not address.isprintable():
        return "there is a character in it that cannot be printed"
    if not name or not host or "@" in host:
        return "it is not of the form name@host"
    return None
