"""What the API's first version shows of the world."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, TypeAlias

from .._rules.governance import Moved
from .._rules.members import Membership
from .._rules.projects import Created
from .._rules.work import Call
from .._rules.world import ApiKey, GovernancePolicy, Invitation, Permission, Policy, Project, Role, Scope, World
from ..clock import timestamp

#: What is shown of the result of an operation.
Shown: TypeAlias = Callable[[Call, Any], dict[str, Any]]


def organization(world: World) -> dict[str, Any]:
    """Show the organization."""
    return {"id": world.id, "name": world.name, "plan": world.plan, "created_at": timestamp(world.created_at)}


def project(world: World, shown: Project) -> dict[str, Any]:
    """Show a project, as the answers to writes do: without its governance policy."""
    return {
        "id": shown.id,
        "name": shown.name,
        "description": shown.description,
        "organizationId": world.id,
        "created_at": timestamp(shown.created_at),
    }


def governed_project(world: World, shown: Project) -> dict[str, Any]:
    """Show a project and the governance policy that it is under."""
    policy_id = shown.governance_policy_id
    policy = None if policy_id is None else named(world.governance_policies[policy_id])
    return {**project(world, shown), "governancePolicy": policy}


def headers(ends_at: datetime | None) -> dict[str, str]:
    """Give the headers of an answer to somebody whose key has a value that ends then: here they are not told."""
    return {}


def masked(value: str) -> str:
    """Show which key a value is of, and not what it is."""
    return "*" * 15 + value[-6:]


def api_key(shown: ApiKey, *, in_full: bool = False) -> dict[str, Any]:
    """Show a key, its value masked unless asked otherwise."""
    return {
        "id": shown.id,
        "name": shown.name,
        "valid": shown.valid,
        "value": shown.value if in_full else masked(shown.value),
        "created_at": timestamp(shown.created_at),
        "lastUsed": None if shown.last_used is None else timestamp(shown.last_used),
    }


def member(world: World, shown: Membership) -> dict[str, Any]:
    """Show a member, with the role that it has in the scope."""
    user, scope = world.users[shown.user_id], shown.scope
    role_id = scope.members[shown.user_id]
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "image": user.image,
        f"{scope.kind}Role": None if role_id is None else named(scope.roles[role_id]),
    }


def invitation(scope: Scope, shown: Invitation) -> dict[str, Any]:
    """Show an invitation."""
    return {
        "id": shown.id,
        "email": shown.email,
        "status": shown.status,
        "created_at": timestamp(shown.created_at),
        f"{scope.kind}RoleId": shown.role_id,
    }


def role(scope: Scope, shown: Role) -> dict[str, Any]:
    """Show a role and the names of its policies."""
    return {
        "id": shown.id,
        "name": shown.name,
        "description": shown.description,
        f"{scope.kind}Id": None if shown.system else scope.id,
        "policies": [named(scope.policies[policy_id]) for policy_id in shown.policy_ids],
    }


def policy(scope: Scope, shown: Policy) -> dict[str, Any]:
    """Show a policy and the names of its permissions."""
    return {
        "id": shown.id,
        "name": shown.name,
        "description": shown.description,
        "permissions": [named(scope.permissions[permission_id]) for permission_id in shown.permission_ids],
    }


def permission(shown: Permission) -> dict[str, Any]:
    """Show a permission."""
    return {"id": shown.id, "name": shown.name, "description": shown.description}


def governance_policy(shown: GovernancePolicy, projects_count: int) -> dict[str, Any]:
    """Show a governance policy, and how many projects are under it."""
    return {
        "id": shown.id,
        "name": shown.name,
        "description": shown.description,
        "projectsCount": projects_count,
        "controls": [{"id": control.id, "name": control.name, "type": control.type} for control in shown.controls],
    }


def _governance_policies(call: Call, shown: Iterable[GovernancePolicy]) -> dict[str, Any]:
    counts = Counter(project.governance_policy_id for project in call.world.projects.values())
    return {"governancePolicies": [governance_policy(each, counts[each.id]) for each in shown]}


def _moved(shown: Moved, done: str, not_done: str) -> dict[str, Any]:
    return {
        "governancePolicy": named(shown.policy),
        done: shown.project_ids,
        not_done: shown.other_ids,
        "count": len(shown.project_ids),
    }


def named(shown: GovernancePolicy | Project | Role | Policy | Permission) -> dict[str, Any]:
    """Show which one is meant."""
    return {"id": shown.id, "name": shown.name}


def _created(call: Call, made: Created) -> dict[str, Any]:
    return {"project": project(call.world, made.project), "apiKey": api_key(made.first_key, in_full=True)}


def _invitations(call: Call, made: Iterable[Invitation]) -> dict[str, Any]:
    return {"invitations": [invitation(call.scope, each) for each in made]}


def _deleted(call: Call, deleted_id: Any) -> dict[str, Any]:
    return {"id": deleted_id, "deleted": True}


def _removed(call: Call, user_id: str) -> dict[str, Any]:
    return {"id": user_id, "removed": True}


_AT_BOTH_SCOPES: Final[dict[tuple[str, str], Shown]] = {
    ("listOrganizationApiKeys", "listProjectApiKeys"): lambda call, keys: {"apiKeys": [api_key(each) for each in keys]},
    ("createOrganizationApiKey", "createProjectApiKey"): lambda call, key: {"apiKey": api_key(key, in_full=True)},
    ("getOrganizationApiKey", "getProjectApiKey"): lambda call, key: {"apiKey": api_key(key)},
    ("updateOrganizationApiKey", "updateProjectApiKey"): lambda call, key: {"apiKey": api_key(key)},
    ("deleteOrganizationApiKey", "deleteProjectApiKey"): _deleted,
    ("listMembers", "listProjectMembers"): lambda call, page: {
        "members": [member(call.world, each) for each in page.items],
        "total": page.total,
    },
    ("updateMemberRole", "updateProjectMemberRole"): lambda call, membership: {
        "member": member(call.world, membership)
    },
    ("removeMember", "removeProjectMember"): _removed,
    ("listInvitations", "listProjectInvitations"): _invitations,
    ("createInvitations", "createProjectInvitations"): _invitations,
    ("resendInvitation", "resendProjectInvitation"): lambda call, sent: {"invitation": invitation(call.scope, sent)},
    ("deleteInvitation", "deleteProjectInvitation"): _deleted,
    ("listRoles", "listProjectRoles"): lambda call, roles: {"roles": [role(call.scope, each) for each in roles]},
    ("createRole", "createProjectRole"): lambda call, made: {"role": role(call.scope, made)},
    ("updateRole", "updateProjectRole"): lambda call, changed: {"role": role(call.scope, changed)},
    ("deleteRole", "deleteProjectRole"): _deleted,
    ("listPolicies", "listProjectPolicies"): lambda call, policies: {
        "policies": [policy(call.scope, each) for each in policies]
    },
    ("createPolicy", "createProjectPolicy"): lambda call, made: {"policy": policy(call.scope, made)},
    ("updatePolicy", "updateProjectPolicy"): lambda call, changed: {"policy": policy(call.scope, changed)},
    ("deletePolicy", "deleteProjectPolicy"): _deleted,
    ("listPermissions", "listProjectPermissions"): lambda call, permissions: {
        "permissions": [permission(each) for each in permissions]
    },
}

#: By the operation's name.
OPERATIONS: Final[dict[str, Shown]] = {
    "getOrganization": lambda call, world: {"organization": organization(world)},
    "updateOrganization": lambda call, world: {"organization": organization(world)},
    "listProjects": lambda call, projects: {"projects": [governed_project(call.world, each) for each in projects]},
    "createProject": _created,
    "getProject": lambda call, found: {"project": governed_project(call.world, found)},
    "updateProject": lambda call, found: {"project": project(call.world, found)},
    "deleteProject": _deleted,
    "listGovernancePolicies": _governance_policies,
    "listGovernancePolicyProjects": lambda call, page: {
        "projects": [named(each) for each in page.items],
        "total": page.total,
    },
    "assignProjectsToGovernancePolicy": lambda call, moved: _moved(moved, "assignedProjectIds", "notFoundProjectIds"),
    "unassignProjectsFromGovernancePolicy": lambda call, moved: _moved(
        moved, "unassignedProjectIds", "skippedProjectIds"
    ),
    **{name: shown for names, shown in _AT_BOTH_SCOPES.items() for name in names},
}

#: By the verb: what happened in the product.
VERBS: Final[dict[str, Callable[[World, Any], dict[str, Any]]]] = {
    "accept-invitation": lambda world, membership: {"member": member(world, membership)},
    "decline-invitation": lambda world, declined: {"invitation": invitation(*declined)},
    "add-member": lambda world, membership: {"member": member(world, membership)},
    "create-governance-policy": lambda world, made: {"governancePolicy": governance_policy(made, 0)},
    "set-verdict": lambda world, judged: {"project": project(world, judged)},
    "change-plan": lambda world, changed: {"organization": organization(changed)},
}
