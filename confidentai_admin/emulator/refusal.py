"""Refusals: every rule by which a request is turned down, with its status and its standing.

A rule is *published* if the API's reference gives the status or states the rule under a status that is its generic
meaning, and *assumed* if this project had to choose. The code raises `Refused(RULE, message)` and names a status
nowhere else, so this page is the list of all of them.
"""

from collections.abc import Mapping
from typing import Final, Literal

import attrs


@attrs.frozen
class Rule:
    """One reason for refusing a request."""

    name: str
    status: int
    standing: Literal["published", "assumed"]


class Refused(Exception):  # noqa: N818 - an answer like any other, not a failure of the emulator
    """A request (or a call of one of `Emulator`'s methods) that the emulator turned down; nothing was changed.

    `rule` is the reason, `status` the HTTP status: the rule's, unless the emulator was told to use another.
    """

    def __init__(self, rule: Rule, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.status = rule.status
        self.headers = headers


UNKNOWN_ROUTE: Final = Rule("unknown-route", 404, "published")
WRONG_METHOD: Final = Rule("wrong-method", 405, "assumed")
BAD_KEY: Final = Rule("bad-key", 401, "published")
PROJECT_KEY: Final = Rule("project-key", 403, "assumed")
TOO_LARGE: Final = Rule("too-large", 413, "assumed")
MALFORMED: Final = Rule("malformed", 400, "published")
WRONG_SHAPE: Final = Rule("wrong-shape", 400, "assumed")
UNKNOWN_FIELD: Final = Rule("unknown-field", 400, "assumed")
UNKNOWN_ID: Final = Rule("unknown-id", 404, "published")

NAME_TAKEN: Final = Rule("name-taken", 409, "published")
POLICY_NAME_TAKEN: Final = Rule("policy-name-taken", 409, "assumed")
UNKNOWN_EMAIL: Final = Rule("unknown-email", 404, "assumed")
UNKNOWN_ROLE: Final = Rule("unknown-role", 404, "assumed")
UNKNOWN_ROLE_NAME: Final = Rule("unknown-role-name", 400, "assumed")
UNKNOWN_PERMISSION: Final = Rule("unknown-permission", 400, "assumed")
UNKNOWN_POLICY: Final = Rule("unknown-policy", 400, "assumed")

OWNER_KEEPS_ROLE: Final = Rule("owner-keeps-role", 403, "assumed")
OWNER_STAYS: Final = Rule("owner-stays", 403, "assumed")
OWNS_A_PROJECT: Final = Rule("owns-a-project", 409, "assumed")
PLAN_WITHOUT_INVITATIONS: Final = Rule("plan-without-invitations", 403, "published")
NO_INVITED_OWNER: Final = Rule("no-invited-owner", 400, "assumed")
NOT_PENDING: Final = Rule("not-pending", 409, "assumed")
BUILT_IN: Final = Rule("built-in", 403, "assumed")
ROLE_IN_USE: Final = Rule("role-in-use", 409, "published")
ROLE_INVITED: Final = Rule("role-invited", 409, "assumed")
POLICY_IN_USE: Final = Rule("policy-in-use", 409, "assumed")
GOVERNANCE_POLICY_NAME_TAKEN: Final = Rule("governance-policy-name-taken", 409, "assumed")
ALREADY_MEMBER: Final = Rule("already-member", 409, "assumed")
ALREADY_OWNED: Final = Rule("already-owned", 409, "assumed")

RULES: Final[tuple[Rule, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
