"""The API's second version: its routes."""

from __future__ import annotations

from .calls import Route
from .version import Version

# What a deletion answers is the id alone.
_DELETED, _REMOVED = {"deleted": True}, {"removed": True}

ROUTES = {
    "getOrganization": Route("GET", "/v2/organization"),
    "updateOrganization": Route("PUT", "/v2/organization"),
    "listProjects": Route("GET", "/v2/projects", "projects"),
    "createProject": Route("POST", "/v2/projects"),
    "getProject": Route("GET", "/v2/projects/{projectId}"),
    "updateProject": Route("PUT", "/v2/projects/{projectId}"),
    "deleteProject": Route("DELETE", "/v2/projects/{projectId}", implied=_DELETED),
    # API keys
    "listOrganizationApiKeys": Route("GET", "/v2/organization/api-keys", "apiKeys"),
    "createOrganizationApiKey": Route("POST", "/v2/organization/api-keys"),
    "getOrganizationApiKey": Route("GET", "/v2/organization/api-keys/{apiKeyId}"),
    "updateOrganizationApiKey": Route("PUT", "/v2/organization/api-keys/{apiKeyId}"),
    "deleteOrganizationApiKey": Route("DELETE", "/v2/organization/api-keys/{apiKeyId}", implied=_DELETED),
    "listProjectApiKeys": Route("GET", "/v2/projects/{projectId}/api-keys", "apiKeys"),
    "createProjectApiKey": Route("POST", "/v2/projects/{projectId}/api-keys"),
    "getProjectApiKey": Route("GET", "/v2/projects/{projectId}/api-keys/{apiKeyId}"),
    "updateProjectApiKey": Route("PUT", "/v2/projects/{projectId}/api-keys/{apiKeyId}"),
    "deleteProjectApiKey": Route("DELETE", "/v2/projects/{projectId}/api-keys/{apiKeyId}", implied=_DELETED),
    # Members
    "listMembers": Route("GET", "/v2/organization/members", "members", total="totalOrganizationMembers"),
    "updateMemberRole": Route("PUT", "/v2/organization/members/{userId}"),
    "removeMember": Route("DELETE", "/v2/organization/members/{userId}", implied=_REMOVED),
    "listProjectMembers": Route("GET", "/v2/projects/{projectId}/members", "members", total="totalProjectMembers"),
    "updateProjectMemberRole": Route("PUT", "/v2/projects/{projectId}/members/{userId}"),
    "removeProjectMember": Route("DELETE", "/v2/projects/{projectId}/members/{userId}", implied=_REMOVED),
    # Invitations
    "listInvitations": Route("GET", "/v2/organization/invitations", "invitations"),
    "createInvitations": Route("POST", "/v2/organization/invitations", "invitations"),
    "resendInvitation": Route("PUT", "/v2/organization/invitations/{invitationId}"),
    "deleteInvitation": Route("DELETE", "/v2/organization/invitations/{invitationId}", implied=_DELETED),
    "listProjectInvitations": Route("GET", "/v2/projects/{projectId}/invitations", "invitations"),
    "createProjectInvitations": Route("POST", "/v2/projects/{projectId}/invitations", "invitations"),
    "resendProjectInvitation": Route("PUT", "/v2/projects/{projectId}/invitations/{invitationId}"),
    "deleteProjectInvitation": Route("DELETE", "/v2/projects/{projectId}/invitations/{invitationId}", implied=_DELETED),
    # Roles, policies and permissions
    "listRoles": Route("GET", "/v2/organization/roles", "roles"),
    "createRole": Route("POST", "/v2/organization/roles"),
    "updateRole": Route("PUT", "/v2/organization/roles/{roleId}"),
    "deleteRole": Route("DELETE", "/v2/organization/roles/{roleId}", implied=_DELETED),
    "listProjectRoles": Route("GET", "/v2/projects/{projectId}/roles", "roles"),
    "createProjectRole": Route("POST", "/v2/projects/{projectId}/roles"),
    "updateProjectRole": Route("PUT", "/v2/projects/{projectId}/roles/{roleId}"),
    "deleteProjectRole": Route("DELETE", "/v2/projects/{projectId}/roles/{roleId}", implied=_DELETED),
    "listPolicies": Route("GET", "/v2/organization/policies", "policies"),
    "createPolicy": Route("POST", "/v2/organization/policies"),
    "updatePolicy": Route("PUT", "/v2/organization/policies/{policyId}"),
    "deletePolicy": Route("DELETE", "/v2/organization/policies/{policyId}", implied=_DELETED),
    "listProjectPolicies": Route("GET", "/v2/projects/{projectId}/policies", "policies"),
    "createProjectPolicy": Route("POST", "/v2/projects/{projectId}/policies"),
    "updateProjectPolicy": Route("PUT", "/v2/projects/{projectId}/policies/{policyId}"),
    "deleteProjectPolicy": Route("DELETE", "/v2/projects/{projectId}/policies/{policyId}", implied=_DELETED),
    "listPermissions": Route("GET", "/v2/organization/permissions", "permissions"),
    "listProjectPermissions": Route("GET", "/v2/projects/{projectId}/permissions", "permissions"),
    # Governance
    "listGovernancePolicies": Route("GET", "/v2/organization/governance-policies", "governancePolicies"),
    "listGovernancePolicyProjects": Route(
        "GET",
        "/v2/organization/governance-policies/{policyId}/projects",
        "projects",
        total="totalGovernancePolicyProjects",
    ),
    "assignProjectsToGovernancePolicy": Route("POST", "/v2/organization/governance-policies/{policyId}/assign"),
    "unassignProjectsFromGovernancePolicy": Route("POST", "/v2/organization/governance-policies/{policyId}/unassign"),
}

V2 = Version("v2", ROUTES)
