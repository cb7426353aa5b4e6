"""JSON and camelCase to models and back, the envelope, and path segments. No I/O.

Reading an answer never raises: the caller gets the value or the error to raise, so that no frame of a traceback holds
the answer, in which there may be a key.
"""

from __future__ import annotations

import datetime
import enum
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict, TypeVar, get_args, get_origin
from urllib.parse import quote, urlencode

import attrs
import cattrs
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn, override

from .errors import (
    APIResponseValidationError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseBody,
    UnprocessableEntityError,
)
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


# Requests -------------------------------------------------------------------------------------------------------------


def path_segment(name: str, value: str | int) -> str:
    """``value`` as one percent-encoded segment of a path.

    Raises:
        TypeError: It is neither a string nor an integer.
        ValueError: It is empty or blank, ``.`` or ``..``, or no valid Unicode: it would name something else.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"{name} must be a string or an integer, not {type(value).__name__}")
    text = str(value)
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
    texts = list(values)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"{name} must be a list of strings, but there is a {type(text).__name__} in it")
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
            pairs.append((name, str(item).lower() if isinstance(item, bool) else str(item)))
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
        if value is not None and type(value) is not int:
            raise TypeError(f"{name} must be an integer, not {type(value).__name__}")
    return query({"page": page, "pageSize": page_size})


def page_of(items: list[T], total: int, page: int | None, page_size: int | None) -> Page[T]:
    """The page that ``page_query`` asked for; a number that was left out is the API's own default."""
    return Page(items, total, page or 1, page_size or _DEFAULT_PAGE_SIZE)


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


# Models ---------------------------------------------------------------------------------------------------------------

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:([Zz])|([+-]\d\d:?\d\d))",
    re.ASCII,
)


def read_time(text: str) -> datetime.datetime:
    """An ISO 8601 time with an offset, as an aware ``datetime``."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("not an ISO 8601 time with an offset")
    day, clock, fraction, _, offset = match.groups()
    if offset is None:
        offset = "+00:00"
    elif ":" not in offset:
        offset = f"{offset[:3]}:{offset[3:]}"
    # Python 3.10 reads no other form than this.
    return datetime.datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0').ljust(6, '0')}{offset}")


def _camel_case(name: str) -> str:
    # The one name that the API does not write in camelCase.
    if name == "created_at":
        return name
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


class _WrongTypeError(TypeError):
    def __init__(self, wanted: str, value: object) -> None:
        super().__init__(f"must be {wanted}, not {_JSON_NAMES.get(type(value), type(value).__name__)}")


_JSON_NAMES: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


def _exactly(kind: type[T]) -> Callable[[Any, Any], T]:
    def structure(value: Any, _: Any) -> T:
        # Not `isinstance`: a boolean is an integer to Python.
        if type(value) is not kind:
            raise _WrongTypeError(_JSON_NAMES[kind], value)
        return value

    return structure


def _structure_time(value: Any, _: Any) -> datetime.datetime:
    if type(value) is not str:
        raise _WrongTypeError("a time", value)
    return read_time(value)


def _structure_id(value: Any, _: Any) -> int | str:
    if type(value) is not int and type(value) is not str:
        raise _WrongTypeError("an integer or a string", value)
    return value


def _enums_in(kind: Any) -> list[Any]:
    return [part for part in get_args(kind) if isinstance(part, enum.EnumMeta)]


def _open_enum(kind: Any) -> Callable[[Any, Any], Any]:
    (known,) = _enums_in(kind)

    def structure(value: Any, _: Any) -> Any:
        if type(value) is not str:
            raise _WrongTypeError("a string", value)
        try:
            return known(value)
        except ValueError:
            return value  # it came to the API after this version

    return structure


def _is_list(kind: Any) -> bool:
    return bool(get_origin(kind) is list)


def _list(kind: Any, converter: Any) -> Callable[[Any, Any], Any]:
    # cattrs itself would take any iterable, a string too.
    structure_items = list_structure_factory(kind, converter)

    def structure(value: Any, kind: Any) -> Any:
        if type(value) is not list:
            raise _WrongTypeError("a list", value)
        return structure_items(value, kind)

    return structure


def _model(kind: Any, converter: Any) -> Callable[[Any, Any], Any]:
    attrs.resolve_types(kind)
    renamed: dict[str, Any] = {field.name: override(rename=_camel_case(field.name)) for field in attrs.fields(kind)}
    structure_fields = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=False, **renamed)

    def structure(value: Any, kind: Any) -> Any:
        if type(value) is not dict:
            raise _WrongTypeError("an object", value)
        return structure_fields(value, kind)

    return structure


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(datetime.datetime, _structure_time)
    converter.register_structure_hook_func(lambda kind: kind == int | str, _structure_id)
    converter.register_structure_hook_factory(_is_list, _list)
    converter.register_structure_hook_factory(attrs.has, _model)
    converter.register_structure_hook_factory(lambda kind: bool(_enums_in(kind)), _open_enum)
    return converter


_converter = _make_converter()


def _what_is_wrong(error: BaseException) -> tuple[str, str]:
    """Where in the data, and what, in words that hold no value of it."""
    if isinstance(error, cattrs.BaseValidationError):
        error = error.exceptions[0]
        place = ""
        for note in getattr(error, "__notes__", ()):
            if isinstance(note, cattrs.AttributeValidationNote):
                place = f".{_camel_case(note.name)}"
            elif isinstance(note, cattrs.IterableValidationNote):
                place = f"[{note.index}]"
        inner, what = _what_is_wrong(error)
        return place + inner, what
    if isinstance(error, _WrongTypeError):
        return "", str(error)
    if isinstance(error, KeyError):
        return "", "is missing"
    return "", "is not valid"


# Answers --------------------------------------------------------------------------------------------------------------


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


@attrs.frozen
class Answer:
    """An HTTP response, read to its end.

    Attributes:
        status: The HTTP status.
        headers: The headers, looked up without regard to case.
        body: The body.
        envelope: The body as JSON if it is an object, else ``None``. It may hold a secret.
    """

    status: int
    headers: Mapping[str, str]
    body: ResponseBody
    envelope: Mapping[str, Any] | None = attrs.field(repr=False)

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: ResponseBody) -> Answer:
        """Read a response, whatever is in it."""
        return cls(status, headers, body, _json_object(body))

    @property
    def is_success(self) -> bool:
        """Whether the status is of the 2xx."""
        return 200 <= self.status < 300

    @property
    def is_enveloped(self) -> bool:
        """Whether the API itself wrote it, and not a gateway in front."""
        return self.envelope is not None and type(self.envelope.get("success")) is bool

    @property
    def request_id(self) -> str | None:
        """The server's id of the request."""
        return self.headers.get("X-Request-Id")

    @property
    def deprecation(self) -> str | None:
        """What to tell the caller if the operation will go away, else ``None``."""
        if self.envelope is None or self.envelope.get("deprecated") is not True:
            return None
        link = _text_or_none(self.envelope.get("link")) or ""
        # It becomes part of a line of the log, which it may not end to begin another one.
        shown = "".join(character if character.isprintable() else "?" for character in link)
        return "the API says that this operation is deprecated" + (f": see {shown}" if shown else "")


def _json_object(body: ResponseBody) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def read_success(
    answer: Answer, call: Call, returns: type[T], key: str | None = None
) -> T | APIResponseValidationError:
    """The data of a successful answer as ``returns``, or the error to raise.

    ``key`` names the field of the data to read; without it, all of the data is read. ``object`` as the type leaves the
    data as it is.
    """
    envelope = answer.envelope
    if envelope is None or envelope.get("success") is not True:
        return _unreadable(answer, call, None, "the answer is not the API's envelope")
    if "data" not in envelope:
        return _unreadable(answer, call, "data", "data is missing in the answer")
    data = envelope["data"]
    if returns is object:
        return data  # type: ignore[no-any-return]
    place = "data"
    if key is not None:
        if type(data) is not dict:
            return _unreadable(answer, call, "data", f"in the answer, data {_WrongTypeError('an object', data)}")
        if key not in data:
            return _unreadable(answer, call, key, f"in the answer, {key} is missing")
        data, place = data[key], key
    try:
        return _converter.structure(data, returns)
    except Exception as error:  # noqa: BLE001  (whatever cattrs raises, the answer is to blame)
        inner, what = _what_is_wrong(error)
        field = (place + inner).removeprefix("data.")
        return _unreadable(answer, call, field, f"in the answer, {field} {what}")


def _unreadable(answer: Answer, call: Call, field: str | None, message: str) -> APIResponseValidationError:
    return APIResponseValidationError(
        message,
        status=answer.status,
        field=field,
        body=answer.body,
        request_id=answer.request_id,
        **call.place,
        outcome_unknown=call.effect is not Effect.READ,
    )


_STATUS_ERRORS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


def read_refusal(answer: Answer, call: Call, *, retry_after: float | None, outcome_unknown: bool) -> APIStatusError:
    """The error that an answer without success means."""
    kind = _STATUS_ERRORS.get(answer.status, InternalServerError if answer.status >= 500 else APIStatusError)
    envelope = answer.envelope or {}
    return kind(
        _refusal_message(answer, envelope),
        status=answer.status,
        link=_text_or_none(envelope.get("link")),
        request_id=answer.request_id,
        retry_after=retry_after,
        body=answer.body,
        **call.place,
        outcome_unknown=outcome_unknown,
    )


def _refusal_message(answer: Answer, envelope: Mapping[str, Any]) -> str:
    if message := _text_or_none(envelope.get("error")):
        return message
    if 300 <= answer.status < 400:
        return (
            "the server redirects to another address, which is not followed, so that the API key stays with the server"
            " it was given for: check the base URL"
        )
    who = "the server" if answer.is_enveloped else "the server, or a gateway in front of it,"
    return f"{who} answered with status {answer.status} and without a message"
