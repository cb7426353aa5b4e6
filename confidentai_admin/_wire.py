"""A call as it goes to the wire: its path, its query, its body, and what it does to the server. No I/O."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, TypeVar
from urllib.parse import quote, urlencode

import attrs

from ._settings import plain, whole_number
from .models import Page

T = TypeVar("T")

_DEFAULT_PAGE_SIZE = 25


class NotGiven(enum.Enum):
    """The type of ``NOT_GIVEN``."""

    NOT_GIVEN = "NOT_GIVEN"

    def __repr__(self) -> str:
        return self.name


#: An argument that was left out, where ``None`` means something else: it clears the field.
NOT_GIVEN = NotGiven.NOT_GIVEN


# Parts of a request ---------------------------------------------------------------------------------------------------


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


def request_path(path: str) -> str:
    """A path that a caller wrote, percent-encoded where it must be.

    Raises:
        TypeError: It is not a string.
        ValueError: It does not begin with a slash, has a query, a fragment or a dot segment, or is no valid Unicode.
    """
    if not isinstance(path, str):
        raise TypeError(f"path must be a string, not {type(path).__name__}")
    if not path.startswith("/"):
        raise ValueError("path must begin with a slash and be relative to the base URL, as in /v1/projects")
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


def page_query(page: int | None, page_size: int | None) -> str:
    """The query for one page of a list. Whether the numbers are in their range is the server's to say.

    Raises:
        TypeError: A number is not an integer.
    """
    for name, value in (("page", page), ("page_size", page_size)):
        if value is not None:
            whole_number(name, value)
    return query({"page": page, "pageSize": page_size})


def page_of(items: list[T], total: int, page: int | None, page_size: int | None) -> Page[T]:
    """The page that ``page_query`` asked for; a number that was left out is the API's own default."""
    return Page(items, total, plain(page) or 1, plain(page_size) or _DEFAULT_PAGE_SIZE)


def given(**fields: Any) -> dict[str, Any]:
    """The fields of a body that were given, under their names on the wire."""
    return {name: value for name, value in fields.items() if value is not NOT_GIVEN}


def encode(body: Any) -> bytes:
    """``body`` as JSON.

    Raises:
        TypeError: It holds something that JSON has no form for.
        ValueError: It holds a number that is not finite, refers to itself, is too deep, or is no valid Unicode.
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except RecursionError:
        raise ValueError("the body is too deep for JSON") from None


# Calls ----------------------------------------------------------------------------------------------------------------


class Effect(enum.Enum):
    """What an operation does to the server, and so whether it may be sent again."""

    READ = "it changes nothing"
    REPEATABLE = "doing it twice is the same as doing it once"
    ONCE = "doing it twice does it twice"


class Place(TypedDict):
    """Where an error arose."""

    operation: str
    method: str
    path: str


@attrs.frozen
class Call:
    """One call of an operation, ready to be sent.

    Attributes:
        operation: The API's name of the operation.
        method: The HTTP method.
        path: The path after the base URL, percent-encoded.
        effect: What the operation does to the server.
        query: The query with its question mark, percent-encoded, or nothing.
        body: What goes into the body as JSON, or ``NOT_GIVEN`` for no body.
    """

    operation: str
    method: str
    path: str
    effect: Effect
    query: str = attrs.field(default="", kw_only=True)
    body: Any = attrs.field(default=NOT_GIVEN, kw_only=True)

    @property
    def place(self) -> Place:
        """What an error says of the call that it belongs to."""
        return {"operation": self.operation, "method": self.method, "path": self.path}
