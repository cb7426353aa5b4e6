"""The names of keys that replace one another: ``<base>-<date>-<6 hex>``."""

from __future__ import annotations

import datetime
import re
import secrets

from ..models import ApiKey

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


def age(key: ApiKey) -> tuple[datetime.datetime, int]:
    """What keys are sorted by, the oldest first. The API's times have milliseconds, and its ids go up."""
    return key.created_at, key.id


def new_name(base: str, now: datetime.datetime) -> str:
    """A name for the next key, which no other key has."""
    return f"{base}-{now.astimezone(datetime.UTC):%Y%m%d}-{secrets.token_hex(3)}"
