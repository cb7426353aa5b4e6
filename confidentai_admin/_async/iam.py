"""Roles, policies and permissions together, of the organization and of a project."""

from __future__ import annotations

from .._api.calls import Scope
from .._http.transport import Transport
from .._instances import child
from .permissions import AsyncOrganizationPermissions, AsyncProjectPermissions
from .policies import AsyncOrganizationPolicies, AsyncProjectPolicies
from .roles import AsyncOrganizationRoles, AsyncProjectRoles


class AsyncOrganizationIam:
    """Who may do what in the organization.

    Attributes:
        roles: Named sets of policies, given to members.
        policies: Named sets of permissions.
        permissions: What can be allowed.
    """

    roles: AsyncOrganizationRoles = child(AsyncOrganizationRoles)
    policies: AsyncOrganizationPolicies = child(AsyncOrganizationPolicies)
    permissions: AsyncOrganizationPermissions = child(AsyncOrganizationPermissions)

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self.roles = AsyncOrganizationRoles(transport, scope)
        self.policies = AsyncOrganizationPolicies(transport, scope)
        self.permissions = AsyncOrganizationPermissions(transport, scope)


class AsyncProjectIam:
    """Who may do what in a project.

    Attributes:
        roles: Named sets of policies, given to members.
        policies: Named sets of permissions.
        permissions: What can be allowed.
    """

    roles: AsyncProjectRoles = child(AsyncProjectRoles)
    policies: AsyncProjectPolicies = child(AsyncProjectPolicies)
    permissions: AsyncProjectPermissions = child(AsyncProjectPermissions)

    def __init__(self, transport: Transport, scope: Scope) -> None:
        self.roles = AsyncProjectRoles(transport, scope)
        self.policies = AsyncProjectPolicies(transport, scope)
        self.permissions = AsyncProjectPermissions(transport, scope)
