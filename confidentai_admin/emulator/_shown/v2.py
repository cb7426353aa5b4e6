"""What the API's second version shows of the world."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from .._rules.members import Membership
from .._rules.pages import Page
from .._rules.projects import Created
from .._rules.work import Call
from .._rules.world import ApiKey, Invitation, Scope
from . import v1
from .v1 import Shown


def api_key(shown: ApiKey, *, in_full: bool = False) -> dict[str, Any]:
    """Show a key, its value masked unless asked otherwise."""
    return {
        **v1.api_key(shown, in_full=in_full),
        "expiresAt": None,
        "shadowValue": None,
        "rotatesAt": None,
    }


def invitation(scope: Scope, shown: Invitation) -> dict[str, Any]:
    """Show an invitation and the token of its link."""
    return {**v1.invitation(scope, shown), "token": None}


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
    ("deleteOrganizationApiKey", "deleteProjectApiKey"): _id,
    ("listMembers", "listProjectMembers"): _members,
    ("updateMemberRole", "updateProjectMemberRole"): lambda call, membership: v1.member(call.world, membership),
    ("removeMember", "removeProjectMember"): _id,
    ("listInvitations", "listProjectInvitations"): _invitations,
    ("createInvitations", "createProjectInvitations"): _invitations,
    ("resendInvitation", "resendProjectInvitation"): lambda call, sent: invitation(call.scope, sent),
    ("deleteInvitation", "deleteProjectInvitation"): _id,
    ("createRole", "createProjectRole"): lambda call, made: v1.role(call.scope, made),
    ("updateRole", "updateProjectRole"): lambda call, changed: v1.role(call.scope, changed),
    ("deleteRole", "deleteProjectRole"): _id,
    ("createPolicy", "createProjectPolicy"): lambda call, made: v1.policy(call.scope, made),
    ("updatePolicy", "updateProjectPolicy"): lambda call, changed: v1.policy(call.scope, changed),
    ("deletePolicy", "deleteProjectPolicy"): _id,
}

# What both versions show in the same way.
_AS_BEFORE: Final = (
    "listRoles",
    "listProjectRoles",
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
