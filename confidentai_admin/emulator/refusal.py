"""Refusals: every rule by which a request is turned down, with its status and its standing.

A rule is *published* if the API's reference gives the status or states the rule under a status that is its generic
meaning, and *assumed* if this project had to choose. The code raises `Refused(RULE, message)` and names a status
nowhere else, so this page is the list of all of them.
"""

from collections.abc import Mapping
from typing import Final, Generic, Literal, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen
class Rule:
    """One reason for refusing a request; `description` says when it is met.

    With the status 200 it refuses nothing, unless the emulator is told to use another: see `Unchanged`.
    """

    name: str
    status: int
    standing: Literal["published", "assumed"]
    description: str


@attrs.frozen
class Unchanged(Generic[T]):
    """What an operation answers that left everything as it was.

    Where the API might as well refuse, `rule` says what is met; it has the status 200, and refuses if that is switched.
    """

    result: T
    rule: Rule | None = None


class Refused(Exception):  # noqa: N818 - an answer like any other, not a failure of the emulator
    """A request (or a call of one of `Emulator`'s methods) that the emulator turned down; nothing was changed.

    `rule` is the reason, `status` the HTTP status: the rule's, unless the emulator was told to use another.
    """

    def __init__(
        self,
        rule: Rule,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message
        self.status = rule.status
        self.headers = headers
        self.details = details
        """What the plan allows and what is used of it, where that is why."""


NOT_HTTP: Final = Rule(
    "not-http", 400, "assumed", "What came is not valid HTTP, or its URL or a header has more than 8 KiB or so."
)
UNKNOWN_ROUTE: Final = Rule("unknown-route", 404, "published", "The path is none of the API's.")
WRONG_METHOD: Final = Rule(
    "wrong-method", 405, "assumed", "The path is the API's, but not with this method; `Allow` says which it has."
)
BAD_KEY: Final = Rule("bad-key", 401, "published", "The key is missing, unknown or deactivated.")
PROJECT_KEY: Final = Rule("project-key", 403, "assumed", "The key is a project's; management takes an organization's.")
TOO_LARGE: Final = Rule("too-large", 413, "assumed", "The body has more than 4 MiB.")
MALFORMED: Final = Rule(
    "malformed",
    400,
    "published",
    "The body is missing, no JSON, not encoded as declared, or encoded in a way that is not known.",
)
WRONG_CONTENT_TYPE: Final = Rule("wrong-content-type", 400, "assumed", "The body is not declared as JSON.")
WRONG_SHAPE: Final = Rule(
    "wrong-shape",
    400,
    "assumed",
    "The body is no object, or a field or a query parameter is missing, given twice, empty, of a wrong type or out of"
    " range.",
)
UNKNOWN_FIELD: Final = Rule("unknown-field", 400, "assumed", "A field or a query parameter is not known there.")
UNKNOWN_ID: Final = Rule(
    "unknown-id", 404, "published", "An id in the path (or in a verb's body) is the id of nothing in that scope."
)

ODD_ID: Final = Rule("odd-id", 404, "assumed", "An API key's or invitation's id in the path is no whole number.")

NAME_TAKEN: Final = Rule(
    "name-taken", 409, "published", "Another project, or another role of the scope, has this name."
)
POLICY_NAME_TAKEN: Final = Rule(
    "policy-name-taken",
    409,
    "assumed",
    "Another policy of the scope has this name; those behind the system roles count.",
)
UNKNOWN_EMAIL: Final = Rule(
    "unknown-email", 404, "assumed", "A new project's `email` is no member's of the organization."
)
UNKNOWN_ROLE: Final = Rule("unknown-role", 404, "assumed", "The role id in a body is none of this scope's.")
UNKNOWN_ROLE_NAME: Final = Rule(
    "unknown-role-name",
    400,
    "assumed",
    "A verb names a role that the scope does not have, or a project's role and no project.",
)
UNKNOWN_PERMISSION: Final = Rule(
    "unknown-permission", 400, "assumed", "A permission id in a body is none of this scope's."
)
UNKNOWN_POLICY: Final = Rule("unknown-policy", 400, "assumed", "A policy id in a body is none of this scope's.")

OWNER_KEEPS_ROLE: Final = Rule(
    "owner-keeps-role", 403, "assumed", "The Owner is given another role, but nobody else is made Owner."
)
OWNER_STAYS: Final = Rule("owner-stays", 403, "assumed", "The Owner is removed from the organization or the project.")
OWNS_A_PROJECT: Final = Rule(
    "owns-a-project", 409, "assumed", "Somebody who owns a project is removed from the organization."
)
PLAN_WITHOUT_INVITATIONS: Final = Rule(
    "plan-without-invitations", 403, "published", "Inviting, or sending an invitation again, on the plan FREE."
)
NO_INVITED_OWNER: Final = Rule("no-invited-owner", 400, "assumed", "Somebody is invited as Owner.")
NOT_PENDING: Final = Rule(
    "not-pending", 409, "assumed", "An invitation that was declined is sent again, accepted or declined."
)
BUILT_IN: Final = Rule("built-in", 403, "assumed", "A system role, or the policy behind it, is changed or deleted.")
ROLE_IN_USE: Final = Rule("role-in-use", 409, "published", "A role is deleted that a member has.")
ROLE_INVITED: Final = Rule("role-invited", 409, "assumed", "A role is deleted that a pending invitation names.")
POLICY_IN_USE: Final = Rule("policy-in-use", 409, "assumed", "A policy is deleted that a role uses.")
GOVERNANCE_POLICY_NAME_TAKEN: Final = Rule(
    "governance-policy-name-taken",
    409,
    "assumed",
    "Another governance policy has this name (a verb's; the API makes none).",
)
ALREADY_MEMBER: Final = Rule("already-member", 409, "assumed", "A verb adds somebody who is a member there already.")
ALREADY_OWNED: Final = Rule("already-owned", 409, "assumed", "A verb adds an Owner where there is one.")

# What the second version alone has, or has otherwise.
BUILT_IN_UNKNOWN: Final = Rule(
    "built-in-unknown", 404, "published", "v2: a system role, or the policy behind it, is changed or deleted."
)
UNUSABLE_ROLE: Final = Rule("unusable-role", 400, "assumed", "v2: the role id in a body is none of this scope's.")
FREE_MAIL: Final = Rule("free-mail", 400, "assumed", "v2: an address to invite is at a free or throw-away mail domain.")
NOBODY_LEFT_TO_INVITE: Final = Rule(
    "nobody-left-to-invite", 409, "assumed", "v2: all who are to be invited are members, or have an invitation already."
)
TWO_USERS: Final = Rule(
    "two-users", 403, "assumed", "v2: inviting more on the plan FREE than would make two users, the members counted."
)
ORGANIZATION_KEY: Final = Rule(
    "organization-key", 403, "assumed", "v2: the key is an organization's; the deployment gate takes a project's."
)
UNGOVERNED: Final = Rule(
    "ungoverned", 400, "published", "v2: the deployment gate is asked for a project without a policy."
)
PROJECT_LIMIT: Final = Rule(
    "project-limit", 403, "assumed", "v2: more projects are made than the emulator was told that the plan allows."
)
EXPIRED_KEY_ROTATED: Final = Rule(
    "expired-key-rotated",
    400,
    "assumed",
    "v2: an expired key is rotated without `expiresInDays`, or with a grace period.",
)
ROTATION_RUNNING: Final = Rule(
    "rotation-running",
    409,
    "assumed",
    'v2: a key is rotated while a rotation of it runs, if the emulator was made with `second_rotation="refuse"`.',
)

# What is a success, and changes nothing, unless the status is switched.
NOTHING_TO_UPDATE: Final = Rule(
    "nothing-to-update",
    200,
    "assumed",
    "An update of the organization, a project, a policy or a role sends nothing, or only what is so already.",
)
ROLE_ALREADY: Final = Rule("role-already", 200, "assumed", "A member is given the role that they have.")
VALID_ALREADY: Final = Rule("valid-already", 200, "assumed", "An API key's `valid` is set to what it is.")
NOBODY_TO_INVITE: Final = Rule(
    "nobody-to-invite", 200, "assumed", "All who are to be invited are skipped: members, or invited already."
)
NO_RIGHT_ID: Final = Rule(
    "no-right-id",
    200,
    "assumed",
    "None of the ids to assign is a project's, or none of those to unassign is under the policy.",
)
PAGE_BEYOND_END: Final = Rule(
    "page-beyond-end", 200, "assumed", "A page is asked for that begins beyond the last item."
)

RULES: Final[tuple[Rule, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
