"""Whether a JSON value has the shape that the contract asks for, and if not, what is wrong with it."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ..clock import check_seconds, moment
from ..refusal import UNKNOWN_FIELD, WRONG_SHAPE, Refused
from .shapes import Field, ListOf, Record, Seconds, Shape, Text, Truth, Whole

_EMAIL: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}"
)
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z")
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")


def check(value: object, shape: Shape, where: str) -> None:
    """Refuse a value that does not have this shape; the message names the place, `where`, and never shows the value."""
    match shape:
        case Text():
            _check_text(value, shape, where)
        case Whole():
            # A bool is an int in Python and is not one in JSON.
            if not isinstance(value, int) or isinstance(value, bool):
                raise Refused(WRONG_SHAPE, f"{where} must be an integer, not {_kind(value)}.")
            _check_bounds(value, shape, where)
        case Seconds():
            _check_seconds(value, where)
        case Truth():
            if not isinstance(value, bool):
                raise Refused(WRONG_SHAPE, f"{where} must be true or false, not {_kind(value)}.")
        case ListOf():
            if not isinstance(value, Sequence) or isinstance(value, str):
                raise Refused(WRONG_SHAPE, f"{where} must be a list, not {_kind(value)}.")
            if len(value) < shape.min_items:
                raise Refused(WRONG_SHAPE, f"{where} must have at least {shape.min_items} item.")
            if shape.max_items is not None and len(value) > shape.max_items:
                raise Refused(WRONG_SHAPE, f"{where} must have at most {shape.max_items} items.")
            for index, item in enumerate(value):
                check(item, shape.item, f"{where}[{index}]")
        case Record():
            _check_record(value, shape, where)


def read_query(query: Sequence[tuple[str, str]], fields: tuple[Field, ...]) -> dict[str, int]:
    """Read the query's parameters, all of which are integers, and fill in the defaults of those left out."""
    known = {field.name: field for field in fields}
    values: dict[str, int] = {}
    for name, text in query:
        field = known.get(name)
        if field is None:
            raise Refused(UNKNOWN_FIELD, f"The query parameter {name!r} is not known here.")
        if name in values:
            raise Refused(WRONG_SHAPE, f"The query parameter {name} was given more than once.")
        if not _WHOLE.fullmatch(text):
            raise Refused(WRONG_SHAPE, f"The query parameter {name} must be an integer.")
        values[name] = int(text)
        check(values[name], field.shape, f"The query parameter {name}")
    defaults = {field.name: field.default for field in fields if field.default is not None}
    return {**defaults, **values}


def read_body(value: object, record: Record) -> dict[str, Any]:
    """Give a request's body as a dictionary, if it has the record's shape."""
    if not isinstance(value, dict):
        raise Refused(WRONG_SHAPE, f"The request's body must be a JSON object, not {_kind(value)}.")
    check(value, record, "")
    return value


def _check_text(value: object, shape: Text, where: str) -> None:
    if not isinstance(value, str):
        raise Refused(WRONG_SHAPE, f"{where} must be a string, not {_kind(value)}.")
    value = value.strip() if shape.trimmed else value
    if shape.min_length and not value.strip():
        raise Refused(WRONG_SHAPE, f"{where} must not be empty.")
    if shape.choices and value not in shape.choices:
        raise Refused(WRONG_SHAPE, f"{where} must be one of {', '.join(shape.choices)}.")
    if shape.format == "email" and not (_EMAIL.fullmatch(value) and len(value) <= 254):
        raise Refused(WRONG_SHAPE, f"{where} must be an e-mail address.")
    if shape.format == "uuid" and not _UUID.fullmatch(value):
        raise Refused(WRONG_SHAPE, f"{where} must be a UUID.")
    if shape.format == "date-time" and not _is_time(value):
        raise Refused(WRONG_SHAPE, f"{where} must be a time such as 2026-01-31T09:00:00.000Z.")
    if shape.format == "moment" and moment(value) is None:
        raise Refused(WRONG_SHAPE, f"{where} must be a time with an offset, such as 2026-01-31T09:00:00Z.")


def _check_seconds(value: object, where: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(WRONG_SHAPE, f"{where} must be a number, not {_kind(value)}.")
    try:
        check_seconds(value, where)
    except ValueError as error:
        raise Refused(WRONG_SHAPE, str(error)) from None


def _check_bounds(value: int, shape: Whole, where: str) -> None:
    if shape.minimum is not None and value < shape.minimum:
        raise Refused(WRONG_SHAPE, f"{where} must be {shape.minimum} or more.")
    if shape.maximum is not None and value > shape.maximum:
        raise Refused(WRONG_SHAPE, f"{where} must be {shape.maximum} or less.")


def _check_record(value: object, record: Record, where: str) -> None:
    if not isinstance(value, Mapping):
        raise Refused(WRONG_SHAPE, f"{where} must be an object, not {_kind(value)}.")
    prefix = f"{where}." if where else ""
    for field in record.fields:
        place = f"{prefix}{field.name}"
        if field.name not in value:
            if field.required:
                raise Refused(WRONG_SHAPE, f"{place} is required.")
        elif value[field.name] is not None:
            check(value[field.name], field.shape, place)
        elif not field.nullable:
            raise Refused(WRONG_SHAPE, f"{place} must not be null.")
    known = {field.name for field in record.fields}
    for name in value:
        if name not in known:
            raise Refused(UNKNOWN_FIELD, f"{prefix}{name} is not a known field here.")
    if len(value) < record.min_fields:
        fields = ", ".join(field.name for field in record.fields)
        raise Refused(WRONG_SHAPE, f"{where or 'The body'} must have at least {record.min_fields} of {fields}.")


def _is_time(value: str) -> bool:
    if not _TIME.fullmatch(value):
        return False
    try:
        datetime.strptime(value, "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        return False
    return True


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case Mapping():
            return "an object"
        case Sequence():
            return "a list"
        case _:
            return type(value).__name__
