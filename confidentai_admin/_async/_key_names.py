"""The names of keys that replace one another: ``<base>-<date>-<6 hex>``."""

from __future__ import annotations

import datetime
import re
import secrets

_SUFFIX = re.compile(r"-\d{8}-[0-9a-f]{6}\Z", re.ASCII)


def base_of(name: str) -> str:
    """What all keys that replace one another have in common: the name without the suffix of a rotation."""
    return _SUFFIX.sub("", name)


def has_suffix(name: str) -> bool:
    """Whether a key of this name was made by a rotation."""
    return _SUFFIX.search(name) is not None


def new_name(base: str, now: datetime.datetime) -> str:
    """A name for the next key, which no other key has."""
    return f"{base}-{now:%Y%m%d}-{secrets.token_hex(3)}"
