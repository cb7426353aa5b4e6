"""What a server says in words, made fit to be shown: printable, not too long, and without secrets. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_LONGEST = 1000  # characters
_MASK = "*" * 15

# The API's own field, and those of gateways and frameworks, from the general to the particular.
_FIELDS = (
    "title",
    "error",
    "error_description",
    "fault",
    "reason",
    "message",
    "msg",
    "description",
    "detail",
    "details",
    "errors",
)

_KEY = re.compile(r"confident_[\w.+/=-]{12,}", re.IGNORECASE)  # longer than the names of variables that begin so
_SECRET_FIELD = re.compile(
    r"api[-_ ]?key|shadow[-_ ]?value|token|secret|passw|credential|authorization|cookie", re.IGNORECASE
)
# Of one mistake in what was sent: the names of what says where it is, and of what was there.
_PLACES = ("loc", "path", "param", "field", "property", "name")
_SENT = re.compile(r"input|value|received|rejected_?value|ctx", re.IGNORECASE)


def shown(text: str) -> str:
    """``text``, bounded, with a mask over what looks like an API key and ``?`` for what is not printable.

    It becomes part of a log's line, which it may not end to begin another one, and of what a terminal shows.
    """
    text = _KEY.sub(_MASK, text)
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    return "".join(character if character.isprintable() else "?" for character in text)


def in_one_line(words: str) -> str | None:
    """``words`` as ``shown``, with a blank for line breaks and other white space; ``None`` if there are none."""
    return shown(" ".join(words.split())) or None


def words_in(answer: object) -> str | None:
    """What a failure's JSON says went wrong, in whatever form, or ``None`` if it says nothing."""
    if isinstance(answer, str):
        return plain_words(answer)
    if isinstance(answer, list):
        return in_one_line(_words(answer) or "")
    if not isinstance(answer, Mapping):
        return None
    fields = {name.lower(): value for name, value in answer.items()}
    said = dict.fromkeys(filter(None, (_words(fields.get(name)) for name in _FIELDS)))
    return in_one_line(": ".join(said))


def plain_words(text: str) -> str | None:
    """What a text says of which nothing else is known: ``None`` for HTML, and for JSON, whose secrets have no mask."""
    return None if text.lstrip().startswith(("<", "{", "[", '"')) else in_one_line(text)


def _words(value: object) -> str | None:
    if isinstance(value, bool) or not value:
        return None
    if isinstance(value, str):
        return value.strip()
    try:
        return json.dumps(_masked(value), ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return None


def _masked(value: Any) -> Any:
    """JSON, with a mask over all that is in a field named after a secret, and over what was sent in such a field."""
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, dict):
        of_secret = any(_SECRET_FIELD.search(str(item)) for name, item in value.items() if name.lower() in _PLACES)
        return {
            name: _MASK
            if not _says_nothing(item) and (_SECRET_FIELD.search(name) or (of_secret and _SENT.fullmatch(name)))
            else _masked(item)
            for name, item in value.items()
        }
    return value


def _says_nothing(value: object) -> bool:
    return value is None or isinstance(value, bool)
