"""The client's own key in what a server sends: it is masked, so that no error and no log can show it. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from multidict import CIMultiDict  # aiohttp's own type

from .._secrets import Received, SecretText

# A shorter one may be a word of the answer itself.
_SHORTEST_KEY = 16
_MASK = "*" * 15

_PLAIN = re.compile(r"[\w-]+", re.ASCII)  # what JSON has as it is


def _mask(content: Received, key: SecretText) -> Received:
    # In JSON, it may have another form.
    forms = [key] if _PLAIN.fullmatch(key) else [key, SecretText(json.dumps(key)[1:-1])]
    for form in forms:
        # Its bytes are put into no name, which a traceback would show.
        if content.find(form.encode()) >= 0:
            content = Received(content.replace(form.encode(), _MASK.encode()))
    return content


# What JSON has if it escapes a character that need not be.
_NEEDLESS_ESCAPE = re.compile(rb"\\(?:u00[2-7]|/)")
# An escaped character, the printable ones of ASCII apart.
_ESCAPED = re.compile(r"\\(?:u00([2-7][0-9A-Fa-f])|.)", re.DOTALL)


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return json.dumps(chr(int(match[1], 16)))[1:-1]
    return "/" if match[0] == "\\/" else match[0]


def _canonical(content: Received) -> Received:
    """JSON, whole or not, as UTF-8 in which no printable character of ASCII is escaped that need not be."""
    encoding = json.detect_encoding(content)
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"  # so that no byte of UTF-8 is lost
    return Received(_ESCAPED.sub(_unescape, content.decode(encoding, errors)).encode("utf-8", "surrogateescape"))


def without_key(content: Received, key: SecretText) -> Received:
    """What came of an answer; the client's own key is masked in it, should the server have repeated it."""
    if len(key) < _SHORTEST_KEY:
        return content
    # In most answers no character is escaped, and the key could only stand as it is.
    if content.find(b"\\") < 0 and content.find(b"\0") < 0 and content.find(key.encode()) < 0:
        return content
    masked = _mask(content, key)
    # JSON has more ways than one to write a character, and a message would show it as what it is. What is not in UTF-8
    # has zeros.
    if masked.find(b"\0") >= 0 or (masked.find(b"\\") >= 0 and _NEEDLESS_ESCAPE.search(masked)):
        canonical = _canonical(masked)
        masked_canonical = _mask(canonical, key)
        if masked_canonical != canonical:
            return masked_canonical
    return masked


def headers_without_key(headers: Mapping[str, str], key: SecretText) -> Mapping[str, str]:
    """The headers of an answer, with the client's own key masked."""
    if len(key) >= _SHORTEST_KEY:
        for value in headers.values():
            if key in value:
                return CIMultiDict((name, value.replace(key, _MASK)) for name, value in headers.items())
    return headers
