"""What the API's second version shows of the world."""

import email.utils
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from .._rules.members import Membership
from .._rules.pages import Page
from .._rules.projects import Created
from .._rules.work import Call
from .._rules.world import ApiKey, Invitation, Role, Scope
from ..clock import timestamp
from . import v1
from .v1 import Shown


def api_key(shown: ApiKey, *, in_full: bool = False) -> dict[str, Any]:
    """Show a key, its value masked unless asked otherwise; during a rotation both values are."""
    return {
        **v1.api_key(shown, in_full=in_full),
        "expiresAt": _moment(shown.expires_at),
        "shadowValue": None if shown.replacement is None else v1.masked(shown.replacement),
        "rotatesAt": _moment(shown.rotates_at),
    }


def rotated_api_key(shown: ApiKey) -> dict[str, Any]:
    """Show a key that was just rotated: its new value, and only that, in full."""
    if shown.replacement is None:
        return api_key(shown, in_full=True)
    return {**api_key(shown), "shadowValue": shown.replacement}


def headers(ends_at: datetime | None) -> dict[str, str]:
    """Give the headers of an answer to somebody whose key has a value that ends then."""
    if ends_at is None:
        return {}
    return {
        "Sunset": email.utils.format_datetime(ends_at, usegmt=True),
        "X-Api-Key-Warning": f"This value of the API key is being replaced, and refused from {timestamp(ends_at)} on.",
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)


def invitation(scope: Scope, shown: Invitation) -> dict[str, Any]:
    """Show an invitation and the token of its link."""
    return {**v1.invitation(scope, shown), "token": shown.token}


def role(scope: Scope, shown: Role) -> dict[str, Any]:
    """Show a role and the names of its policies; the system's do without."""
    return {**v1.role(scope, shown), **({"policies": []} if shown.system else {})}


def _page(call: Call, page: Page[Any], name: str, items: Iterable[Mapping[str, Any]], total: str) -> dict[str, Any]:
    return {
        name: list(items),
        total: page.total,
        "page": call.arguments["page"],
        "pageSize": call.arguments["page_size"],
    }


def _members(call: Call, page: Page[Membership]) -> dict[str, Any]:
    shown = (v1.member(call.world, each) for each in page.items)
    return _page(call, page, "members", shown, f"total{call.scope.kind.capitalize()}Members")


def _created(call: Call, made: Created) -> dict[str, Any]:
    return {"project": v1.project(call.world, made.project), "apiKey": api_key(made.first_key, in_full=True)}


def _governance_policies(call: Call, shown: Iterable[Any]) -> dict[str, Any]:
    listed: list[dict[str, Any]] = v1.OPERATIONS["listGovernancePolicies"](call, shown)["governancePolicies"]
    return {"governancePolicies": [{**each, "isBasePolicy": False} for each in listed]}


def _invitations(call: Call, made: Iterable[Invitation]) -> dict[str, Any]:
    return {"invitations": [invitation(call.scope, each) for each in made]}


def _id(call: Call, gone: Any) -> dict[str, Any]:
    return {"id": gone}


_AT_BOTH_SCOPES: Final[dict[tuple[str, str], Shown]] = {
    ("listOrganizationApiKeys", "listProjectApiKeys"): lambda call, keys: {"apiKeys": [api_key(each) for each in keys]},
    ("createOrganizationApiKey", "createProjectApiKey"): lambda call, key: api_key(key, in_full=True),
    ("getOrganizationApiKey", "getProjectApiKey"): lambda call, key: api_key(key),
    ("updateOrganizationApiKey", "updateProjectApiKey"): lambda call, key: api_key(key),
    ("rotateOrganizationApiKey", "rotateProjectApiKey"): lambda call, key: rotated_api_key(key),
    ("deleteOrganizationApiKey", "deleteProjectApiKey"): _id,
    ("listMembers", "listProjectMembers"): _members,
    ("updateMemberRole", "updateProjectMemberRole"): lambda call, membership: v1.member(call.world, membership),
    ("removeMember", "removeProjectMember"): _id,
    ("listInvitations", "listProjectInvitations"): _invitations,
    ("createInvitations", "createProjectInvitations"): _invitations,
    ("resendInvitation", "resendProjectInvitation"): lambda call, sent: invitation(call.scope, sent),
    ("deleteInvitation", "deleteProjectInvitation"): _id,
    ("listRoles", "listProjectRoles"): lambda call, roles: {"roles": [role(call.scope, each) for each in roles]},
    ("createRole", "createProjectRole"): lambda call, made: role(call.scope, made),
    ("updateRole", "updateProjectRole"): lambda call, changed: role(call.scope, changed),
    ("deleteRole", "deleteProjectRole"): _id,
    ("createPolicy", "createProjectPolicy"): lambda call, made: v1.policy(call.scope, made),
    ("updatePolicy", "updateProjectPolicy"): lambda call, changed: v1.policy(call.scope, changed),
    ("deletePolicy", "deleteProjectPolicy"): _id,
}

# What both versions show in the same way.
_AS_BEFORE: Final = (
    "listPolicies",
    "listProjectPolicies",
    "listPermissions",
    "listProjectPermissions",
    "listProjects",
    "assignProjectsToGovernancePolicy",
    "unassignProjectsFromGovernancePolicy",
)

#: By the operation's name.
OPERATIONS: Final[dict[str, Shown]] = {
    "getOrganization": lambda call, world: v1.organization(world),
    "updateOrganization": lambda call, world: v1.organization(world),
    "assessGovernance": lambda call, made: {"passed": made.passed, "governancePolicy": v1.named(made.policy)},
    "createProject": _created,
    "getProject": lambda call, found: v1.governed_project(call.world, found),
    "updateProject": lambda call, found: v1.governed_project(call.world, found),
    "deleteProject": _id,
    "listGovernancePolicies": _governance_policies,
    "listGovernancePolicyProjects": lambda call, page: _page(
        call, page, "projects", (v1.named(each) for each in page.items), "totalGovernancePolicyProjects"
    ),
    **{name: v1.OPERATIONS[name] for name in _AS_BEFORE},
    **{name: shown for names, shown in _AT_BOTH_SCOPES.items() for name in names},
}
