"""Ids and key values that look like the real ones, the same again for the same seed."""

import random
import string

_BASE36 = string.digits + string.ascii_lowercase
_BASE62 = string.digits + string.ascii_letters

# What a UUID of version 4 does not leave to chance, as bits.
_FIXED = (0xF << 76) | (0xC << 60)
_VERSION_4 = (0x4 << 76) | (0x8 << 60)


class Ids:
    """Makes ids. Each kind has a sequence of its own, so that one more key does not change the next project's id."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._sequences: dict[str, random.Random] = {}
        self._last: dict[str, int] = {}

    def cuid(self, kind: str) -> str:
        """Make an id like those of organizations, projects and users: 25 characters, the first a `c`."""
        return "cl" + self._characters(kind, _BASE36, 23)

    def uuid(self, kind: str) -> str:
        """Make an id like those of roles, policies and permissions."""
        # Each project begins with a hundred of them, for which `uuid.UUID` takes three times as long.
        text = f"{self._sequence(kind).getrandbits(128) & ~_FIXED | _VERSION_4:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def integer(self, kind: str) -> int:
        """Make an id like those of API keys and invitations: one more than the last, from a start that varies."""
        last = self._last.get(kind)
        following = self._sequence(kind).randrange(1_000, 9_000) if last is None else last + 1
        self._last[kind] = following
        return following

    def key_value(self, scope: str) -> str:
        """Make the value of an API key; `scope` is the word that the real ones have there, `org` or `proj`."""
        return f"confident_us_{scope}_" + self._characters(f"key-{scope}", _BASE62, 43)

    def token(self) -> str:
        """Make what is in the link of an invitation."""
        return self._characters("invitation-token", _BASE62, 43)

    def _characters(self, kind: str, alphabet: str, length: int) -> str:
        return "".join(self._sequence(kind).choices(alphabet, k=length))

    def _sequence(self, kind: str) -> random.Random:
        if kind not in self._sequences:
            # Being predictable is the point: these keys open nothing but the emulator.
            self._sequences[kind] = random.Random(f"{self._seed}/{kind}")  # noqa: S311
        return self._sequences[kind]
