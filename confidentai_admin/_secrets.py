"""Texts and bytes that hold a secret, and show nothing of it."""

from __future__ import annotations

from typing import Any

from ._arguments import plain


class SecretText(str):
    """An API key: a string for the wire, masked wherever it is shown, and never pickled."""

    __slots__ = ()

    @classmethod
    def hide(cls, text: str | None) -> SecretText | None:
        """``text`` with a mask over it; in place of what is no string, something that says so and can be shown."""
        if text is None or isinstance(text, SecretText):
            return text
        return cls(plain(text)) if isinstance(text, str) else NotText(type(text).__name__)

    def __repr__(self) -> str:
        return "'**********'"

    def __copy__(self) -> SecretText:
        return self

    def __deepcopy__(self, memo: object) -> SecretText:
        return self

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("a client is not pickled, for its API key would be: make one in the process that uses it")


class NotText(SecretText):
    """Stands for a secret that is not a string. Its text is the name of that type."""

    __slots__ = ()


class Received(bytearray):
    """What has come of an answer. It may hold a key, so its ``repr`` shows nothing of it."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes received>"
