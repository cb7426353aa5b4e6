"""The names of keys that replace one another: ``<base>-<date>-<6 hex>``."""

from __future__ import annotations

import datetime
import re
import secrets
from collections.abc import Iterable

from ..errors import UnexpectedStateError
from ..models import ApiKey
from .matching import name_key, unlike

_SUFFIX = re.compile(r"-\d{8}-[0-9a-f]{6}\Z", re.ASCII)


def base_of(name: str | None) -> str:
    """What all keys that replace one another have in common: the name without the suffix of a rotation."""
    return _SUFFIX.sub("", name or "")


def is_rotated(name: str | None) -> bool:
    """Whether a key of this name was made by a rotation."""
    return _SUFFIX.search(name or "") is not None


def is_called(key: ApiKey, name: str) -> bool:
    """Whether a key has this name, or replaced one that had it."""
    return name in (key.name, base_of(key.name))


def is_called_alike(key: ApiKey, name: str) -> bool:
    """Whether a key has a name that people take for this one, or replaced one that had it."""
    return name_key(name) in (name_key(key.name or ""), name_key(base_of(key.name)))


def refuse_alike(name: str, keys: Iterable[ApiKey]) -> None:
    """Raise an ``UnexpectedStateError`` if a valid key has a name that people take for this one, and is another."""
    for key in keys:
        if key.valid and is_called_alike(key, name) and not is_called(key, name):
            there = key.name if name_key(key.name or "") == name_key(name) else base_of(key.name)
            raise UnexpectedStateError(
                f"there is no API key {name!r}, {unlike(name, there or '')}: give its name, and no other key is made"
            )


def age(key: ApiKey) -> tuple[datetime.datetime, int]:
    """What keys are sorted by, the oldest first. The API's times have milliseconds, and its ids go up."""
    return key.created_at, key.id


def new_name(base: str, now: datetime.datetime) -> str:
    """A name for the next key, which no other key has."""
    return f"{base}-{now.astimezone(datetime.UTC):%Y%m%d}-{secrets.token_hex(3)}"
