"""Data of an answer, as JSON has it, to models. No I/O.

Data is structured the quick way first. It is the thorough way that says which field is wrong: there is something to be
said only when the quick one has failed.
"""

from __future__ import annotations

import datetime
import enum
import re
from collections.abc import Callable
from typing import Any, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.cols import list_structure_factory
from cattrs.gen import make_dict_structure_fn, override

from ..models.number_id import NumberId
from .names import camel_case
from .quick_structuring import quick_model

T = TypeVar("T")

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)?", re.ASCII)


def read_time(text: str) -> datetime.datetime:
    """An ISO 8601 time as an aware ``datetime``. One without an offset is in UTC."""
    # The API's own form needs no second look. Python's function refuses what is no time in the rest of it.
    is_usual = len(text) == 24 and text[4] == text[7] == "-" and text[10] == "T" and text[19] == "." and text[23] == "Z"
    if not is_usual and _TIME.fullmatch(text) is None:
        raise ValueError("not an ISO 8601 time")
    time = datetime.datetime.fromisoformat(text.upper())
    return time if time.tzinfo is not None else time.replace(tzinfo=datetime.UTC)


def is_not(wanted: str, value: object) -> str:
    """What to say of a value that is not what it should be, without saying what it is."""
    return f"must be {wanted}, not {_JSON_NAMES.get(type(value), type(value).__name__)}"


class _WrongTypeError(TypeError):
    def __init__(self, wanted: str, value: object) -> None:
        super().__init__(is_not(wanted, value))


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


_DIGITS = re.compile(r"[0-9]+", re.ASCII)


def _structure_number_id(value: Any, _: Any) -> int:
    if type(value) is str and _DIGITS.fullmatch(value):
        return int(value)
    if type(value) is not int:
        raise _WrongTypeError("an integer", value)
    return value


def _structure_id(value: Any, _: Any) -> int | str:
    if type(value) is not int and type(value) is not str:
        raise _WrongTypeError("an integer or a string", value)
    return value


def _enums_in(kind: Any) -> list[Any]:
    return [part for part in get_args(kind) if isinstance(part, enum.EnumMeta)]


def _open_enum(kind: Any) -> Callable[[Any, Any], Any]:
    (enumeration,) = _enums_in(kind)
    known = {member.value: member for member in enumeration}

    def structure(value: Any, _: Any) -> Any:
        if type(value) is not str:
            raise _WrongTypeError("a string", value)
        return known.get(value, value)  # which may have come to the API after this version

    return structure


def _is_list(kind: Any) -> bool:
    return bool(get_origin(kind) is list)


def _list(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    # cattrs itself would take any iterable, a string too.
    structure_items = list_structure_factory(kind, converter)

    def structure(value: Any, kind: Any) -> Any:
        if type(value) is not list:
            raise _WrongTypeError("a list", value)
        return structure_items(value, kind)

    return structure


def _model(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    attrs.resolve_types(kind)
    renamed: dict[str, Any] = {field.name: override(rename=camel_case(field.name)) for field in attrs.fields(kind)}
    structure_fields = make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=False, **renamed)

    def structure(value: Any, kind: Any) -> Any:
        if type(value) is not dict:
            raise _WrongTypeError("an object", value)
        return structure_fields(value, kind)

    return structure


def _make_converter(*, quick: bool) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=not quick)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(datetime.datetime, _structure_time)
    converter.register_structure_hook_func(lambda kind: kind == NumberId, _structure_number_id)
    converter.register_structure_hook_func(lambda kind: kind == int | str, _structure_id)
    converter.register_structure_hook_factory(_is_list, _list)
    converter.register_structure_hook_factory(attrs.has, quick_model if quick else _model)
    converter.register_structure_hook_factory(lambda kind: bool(_enums_in(kind)), _open_enum)
    return converter


_quick = _make_converter(quick=True)
_thorough = _make_converter(quick=False)


@attrs.frozen
class Misfit:
    """Why data is not what it should be.

    Attributes:
        place: Where in the data, such as ``[3].createdAt``; empty for all of it.
        what: What is wrong there, in words that hold no value of the data.
    """

    place: str
    what: str


def structure(data: Any, kind: type[T]) -> T | Misfit:
    """The data as ``kind``, or why it is not that."""
    quick = _quick.get_structure_hook(kind)
    try:
        return quick(data, kind)  # type: ignore[no-any-return]
    except Exception:  # noqa: BLE001, S110  (said below)
        pass
    try:
        return _thorough.structure(data, kind)
    except Exception as error:  # noqa: BLE001  (whatever cattrs raises, the data is to blame)
        return Misfit(*_what_is_wrong(error))


def _what_is_wrong(error: BaseException) -> tuple[str, str]:
    """Where in the data, and what, in words that hold no value of it."""
    if isinstance(error, cattrs.BaseValidationError):
        error = error.exceptions[0]
        place = ""
        for note in getattr(error, "__notes__", ()):
            if isinstance(note, cattrs.AttributeValidationNote):
                place = f".{camel_case(note.name)}"
            elif isinstance(note, cattrs.IterableValidationNote):
                place = f"[{note.index}]"
        inner, what = _what_is_wrong(error)
        return place + inner, what
    if isinstance(error, _WrongTypeError):
        return "", str(error)
    if isinstance(error, KeyError):
        return "", "is missing"
    return "", "is not valid"
