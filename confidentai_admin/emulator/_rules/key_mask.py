"""Masking the values of API keys in what is recorded, as the API masks them."""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote, unquote

# Keys begin alike, so they are looked for by so many of their last characters; none is shorter.
_ENDING: Final = 12


class KeyMask:
    """Knows the values of all API keys that ever were, so that none is recorded. It can be used from any thread."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._by_ending: dict[str, tuple[str, ...]] = {}
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """Mask this value from now on; one that is known already may come again."""
        if len(value) < _ENDING:
            raise ValueError(f"A key must have {_ENDING} characters or more.")
        ending = value[-_ENDING:]
        known = self._by_ending.get(ending, ())
        if value not in known:
            self._by_ending[ending] = (*known, value)

    def text(self, text: str) -> str:
        """Mask key values in a text: asterisks and the last six characters."""
        endings = {text[end - _ENDING : end] for end in range(_ENDING, len(text) + 1)}
        for value in [value for ending in endings for value in self._by_ending.get(ending, ())]:
            text = text.replace(value, "*" * 15 + value[-6:])
        return text

    def url_part(self, text: str, separator: str) -> str:
        """Mask key values in a path or a query, however much of them is percent-encoded."""
        pieces = text.split(separator)
        for index, piece in enumerate(pieces):
            decoded = unquote(piece)
            masked = self.text(decoded)
            if masked != decoded:
                pieces[index] = quote(masked, safe="*=")
        return separator.join(pieces)

    def json(self, value: Any) -> Any:
        """Copy a JSON value with all key values in it masked."""
        match value:
            case str():
                return self.text(value)
            case list():
                return [self.json(item) for item in value]
            case dict():
                return {self.text(name): self.json(item) for name, item in value.items()}
            case _:
                return value
