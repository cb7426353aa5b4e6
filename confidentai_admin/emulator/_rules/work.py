"""What each operation does, as a function of a `Call`."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from . import api_keys, governance, invitations, members, organization, policies, projects, roles
from .world import Project, Scope, World


@attrs.frozen
class Call:
    """A call of an operation by somebody who may. Its arguments have the right shapes; ids may still be anything."""

    world: World
    scope: Scope
    arguments: Mapping[str, Any]

    def project(self) -> Project:
        """Find the project that the call is about."""
        return self.world.projects[self.scope.id]


#: Does the work, and gives what came of it: a record, a list of them, or an id.
Work: TypeAlias = Callable[[Call], Any]

_AT_BOTH_SCOPES: Final[dict[tuple[str, str], Work]] = {
    ("listOrganizationApiKeys", "listProjectApiKeys"): lambda call: api_keys.listing(
        call.world, call.scope, **call.arguments
    ),
    ("createOrganizationApiKey", "createProjectApiKey"): lambda call: api_keys.add(
        call.world, call.scope, **call.arguments
    ),
    ("getOrganizationApiKey", "getProjectApiKey"): lambda call: api_keys.find(call.scope, **call.arguments),
    ("updateOrganizationApiKey", "updateProjectApiKey"): lambda call: api_keys.update(call.scope, **call.arguments),
    ("rotateOrganizationApiKey", "rotateProjectApiKey"): lambda call: api_keys.rotate(
        call.world, call.scope, **call.arguments
    ),
    ("deleteOrganizationApiKey", "deleteProjectApiKey"): lambda call: api_keys.delete(call.scope, **call.arguments),
    ("listMembers", "listProjectMembers"): lambda call: members.listing(call.scope, **call.arguments),
    ("updateMemberRole", "updateProjectMemberRole"): lambda call: members.update_role(call.scope, **call.arguments),
    ("listInvitations", "listProjectInvitations"): lambda call: invitations.listing(call.scope),
    ("createInvitations", "createProjectInvitations"): lambda call: invitations.create(
        call.world, call.scope, **call.arguments
    ),
    ("resendInvitation", "resendProjectInvitation"): lambda call: invitations.resend(
        call.world, call.scope, **call.arguments
    ),
    ("deleteInvitation", "deleteProjectInvitation"): lambda call: invitations.delete(call.scope, **call.arguments),
    ("listRoles", "listProjectRoles"): lambda call: roles.listing(call.scope),
    ("createRole", "createProjectRole"): lambda call: roles.create(call.world, call.scope, **call.arguments),
    ("updateRole", "updateProjectRole"): lambda call: roles.update(call.scope, **call.arguments),
    ("deleteRole", "deleteProjectRole"): lambda call: roles.delete(call.scope, **call.arguments),
    ("listPolicies", "listProjectPolicies"): lambda call: policies.listing(call.scope),
    ("createPolicy", "createProjectPolicy"): lambda call: policies.create(call.world, call.scope, **call.arguments),
    ("updatePolicy", "updateProjectPolicy"): lambda call: policies.update(call.scope, **call.arguments),
    ("deletePolicy", "deleteProjectPolicy"): lambda call: policies.delete(call.scope, **call.arguments),
    ("listPermissions", "listProjectPermissions"): lambda call: policies.list_permissions(call.scope),
}

# What changes the organization itself, or which projects there are and what is said of them; not what is in a project.
_OF_THE_ORGANIZATION: Final = (
    "updateOrganization",
    "createProject",
    "updateProject",
    "deleteProject",
    "assignProjectsToGovernancePolicy",
    "unassignProjectsFromGovernancePolicy",
)


def changed_scopes(operation: str, call: Call) -> list[Scope]:
    """Give the scopes in which a write can change something; for some it is only the organization's own records."""
    if operation == "removeMember":
        return call.world.scopes()
    return [] if operation in _OF_THE_ORGANIZATION else [call.scope]


#: By the operation's name.
WORK: Final[dict[str, Work]] = {
    "getOrganization": lambda call: call.world,
    "updateOrganization": lambda call: organization.update(call.world, **call.arguments),
    "removeMember": lambda call: members.remove_from_organization(call.world, **call.arguments),
    "removeProjectMember": lambda call: members.remove_from_project(call.scope, **call.arguments),
    "listGovernancePolicies": lambda call: governance.listing(call.world, **call.arguments),
    "listGovernancePolicyProjects": lambda call: governance.list_projects(call.world, **call.arguments),
    "assignProjectsToGovernancePolicy": lambda call: governance.assign(call.world, **call.arguments),
    "unassignProjectsFromGovernancePolicy": lambda call: governance.unassign(call.world, **call.arguments),
    "assessGovernance": lambda call: governance.assess(call.world, call.project()),
    "listProjects": lambda call: projects.listing(call.world, **call.arguments),
    "createProject": lambda call: projects.create(call.world, **call.arguments),
    "getProject": lambda call: call.project(),
    "updateProject": lambda call: projects.update(call.world, call.project(), **call.arguments),
    "deleteProject": lambda call: projects.delete(call.world, call.project()),
    **{name: work for names, work in _AT_BOTH_SCOPES.items() for name in names},
}
