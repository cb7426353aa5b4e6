"""What a request says, by the names that the rules have for it: those of the API, spelled as Python spells names."""

import re
from collections.abc import Mapping
from typing import Any, Final

from ..refusal import ODD_ID, Refused

_INTEGER_IDS: Final = ("apiKeyId", "invitationId")

# Whose role it is, the scope of the call says.
_ROLE_OF_A_SCOPE: Final = ("organizationRoleId", "projectRoleId")

_HUMP: Final = re.compile(r"[A-Z]")


def arguments(ids: Mapping[str, str], query: Mapping[str, int], body: Mapping[str, Any]) -> dict[str, Any]:
    """Name what came in the path, the query and the body; the project's id is left out, it says where and not what.

    Only what was sent is there, so that null is not mistaken for nothing.
    """
    sent = {name: _integer_id(name, text) if name in _INTEGER_IDS else text for name, text in ids.items()}
    sent.pop("projectId", None)
    return {_own_name(name): value for name, value in {**sent, **query, **body}.items()}


def _own_name(name: str) -> str:
    return "role_id" if name in _ROLE_OF_A_SCOPE else _HUMP.sub(lambda hump: f"_{hump[0].lower()}", name)


def _integer_id(name: str, text: str) -> int:
    """Read an id that is an integer; one that is not is as unknown as any other."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and str(int(text)) == text):
        raise Refused(ODD_ID, f"{name} in the path is not the id of anything.")
    return int(text)
