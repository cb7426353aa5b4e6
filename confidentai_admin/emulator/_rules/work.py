"""What each operation of the contract does, as a function of a `Call`."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import attrs

from ..refusal import ODD_ID, Refused
from . import api_keys, governance, invitations, members, organization, policies, projects, roles
from .world import Project, Scope, World


@attrs.frozen
class Call:
    """A request whose key and shapes are known to be right; its ids may still be anything."""

    world: World
    ids: Mapping[str, str]
    query: Mapping[str, int]
    body: Mapping[str, Any]

    def project(self) -> Project:
        """Find the project that the path names."""
        return self.world.project(self.ids["projectId"])

    def scope(self) -> Scope:
        """Find the scope that the path is about."""
        return self.project().scope if "projectId" in self.ids else self.world.scope

    def integer_id(self, name: str) -> int:
        """Read an id that is an integer; one that is not is as unknown as any other."""
        text = self.ids[name]
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and str(int(text)) == text):
            raise Refused(ODD_ID, f"{name} in the path is not the id of anything.")
        return int(text)

    def only(self, *names: str) -> dict[str, Any]:
        """Give those of the body's fields that were sent."""
        return {name: self.body[name] for name in names if name in self.body}

    def role_id(self) -> str | None:
        """Read the role that an invitation's body names, if it does."""
        role_id: str | None = self.body.get(f"{self.scope().kind}RoleId")
        return role_id


#: Does the work, and gives what came of it: a record, a list of them, or an id.
Work: TypeAlias = Callable[[Call], Any]

_API_KEYS: Final[dict[str, Work]] = {
    "list{}ApiKeys": lambda call: api_keys.listing(call.scope()),
    "create{}ApiKey": lambda call: api_keys.add(call.world, call.scope(), call.body["name"]),
    "get{}ApiKey": lambda call: api_keys.find(call.scope(), call.integer_id("apiKeyId")),
    "update{}ApiKey": lambda call: api_keys.update(call.scope(), call.integer_id("apiKeyId"), valid=call.body["valid"]),
    "delete{}ApiKey": lambda call: api_keys.delete(call.scope(), call.integer_id("apiKeyId")),
}

_BOTH_SCOPES: Final[dict[str, Work]] = {
    "list{}Members": lambda call: members.listing(
        call.scope(), page=call.query["page"], page_size=call.query["pageSize"]
    ),
    "update{}MemberRole": lambda call: members.update_role(call.scope(), call.ids["userId"], call.body["roleId"]),
    "list{}Invitations": lambda call: invitations.listing(call.scope()),
    "create{}Invitations": lambda call: invitations.create(
        call.world, call.scope(), call.body["emails"], call.role_id()
    ),
    "resend{}Invitation": lambda call: invitations.resend(call.world, call.scope(), call.integer_id("invitationId")),
    "delete{}Invitation": lambda call: invitations.delete(call.scope(), call.integer_id("invitationId")),
    "list{}Roles": lambda call: roles.listing(call.scope()),
    "create{}Role": lambda call: roles.create(
        call.world, call.scope(), call.body["name"], call.body["policyIds"], call.body.get("description")
    ),
    "update{}Role": lambda call: roles.update(
        call.scope(), call.ids["roleId"], call.body["name"], call.body["policyIds"], **call.only("description")
    ),
    "delete{}Role": lambda call: roles.delete(call.scope(), call.ids["roleId"]),
    "list{}Policies": lambda call: policies.listing(call.scope()),
    "create{}Policy": lambda call: policies.create(
        call.world, call.scope(), call.body["name"], call.body["permissionIds"], call.body.get("description")
    ),
    "update{}Policy": lambda call: policies.update(
        call.scope(), call.ids["policyId"], call.body["name"], call.body["permissionIds"], **call.only("description")
    ),
    "delete{}Policy": lambda call: policies.delete(call.scope(), call.ids["policyId"]),
    "list{}Permissions": lambda call: policies.list_permissions(call.scope()),
}

_ONE_SCOPE: Final[dict[str, Work]] = {
    "getOrganization": lambda call: call.world,
    "updateOrganization": lambda call: organization.update(call.world, call.body["name"]),
    "removeMember": lambda call: members.remove_from_organization(call.world, call.ids["userId"]),
    "listGovernancePolicies": lambda call: governance.listing(call.world),
    "listGovernancePolicyProjects": lambda call: governance.list_projects(
        call.world, call.ids["policyId"], page=call.query["page"], page_size=call.query["pageSize"]
    ),
    "assignProjectsToGovernancePolicy": lambda call: governance.assign(
        call.world, call.ids["policyId"], call.body["projectIds"]
    ),
    "unassignProjectsFromGovernancePolicy": lambda call: governance.unassign(
        call.world, call.ids["policyId"], call.body["projectIds"]
    ),
    "listProjects": lambda call: projects.listing(call.world),
    "createProject": lambda call: projects.create(
        call.world, call.body["name"], call.body.get("description"), call.body.get("email")
    ),
    "getProject": lambda call: call.project(),
    "updateProject": lambda call: projects.update(call.world, call.project(), **call.only("name", "description")),
    "deleteProject": lambda call: projects.delete(call.world, call.project()),
    "removeProjectMember": lambda call: members.remove_from_project(call.scope(), call.ids["userId"]),
}

# The contract says "Organization" in the names of the key operations and leaves it out of the others.
WORK: Final[dict[str, Work]] = {
    **_ONE_SCOPE,
    **{name.format(scope): work for name, work in _API_KEYS.items() for scope in ("Organization", "Project")},
    **{name.format(scope): work for name, work in _BOTH_SCOPES.items() for scope in ("", "Project")},
}
