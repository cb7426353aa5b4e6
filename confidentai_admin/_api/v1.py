"""The API's first version: its routes."""

from __future__ import annotations

from .calls import Route
from .version import Version

ROUTES = {
    "getOrganization": Route("GET", "/v1/organization", "organization"),
    "updateOrganization": Route("PUT", "/v1/organization", "organization"),
    "listProjects": Route("GET", "/v1/projects", "projects"),
    "createProject": Route("POST", "/v1/projects"),
    "getProject": Route("GET", "/v1/projects/{projectId}", "project"),
    "updateProject": Route("PUT", "/v1/projects/{projectId}", "project"),
    "deleteProject": Route("DELETE", "/v1/projects/{projectId}"),
    # API keys
    "listOrganizationApiKeys": Route("GET", "/v1/organization/api-keys", "apiKeys"),
    "createOrganizationApiKey": Route("POST", "/v1/organization/api-keys", "apiKey"),
    "getOrganizationApiKey": Route("GET", "/v1/organization/api-keys/{apiKeyId}", "apiKey"),
    "updateOrganizationApiKey": Route("PUT", "/v1/organization/api-keys/{apiKeyId}", "apiKey"),
    "deleteOrganizationApiKey": Route("DELETE", "/v1/organization/api-keys/{apiKeyId}"),
    "listProjectApiKeys": Route("GET", "/v1/projects/{projectId}/api-keys", "apiKeys"),
    "createProjectApiKey": Route("POST", "/v1/projects/{projectId}/api-keys", "apiKey"),
    "getProjectApiKey": Route("GET", "/v1/projects/{projectId}/api-keys/{apiKeyId}", "apiKey"),
    "updateProjectApiKey": Route("PUT", "/v1/projects/{projectId}/api-keys/{apiKeyId}", "apiKey"),
    "deleteProjectApiKey": Route("DELETE", "/v1/projects/{projectId}/api-keys/{apiKeyId}"),
    # Members
    "listMembers": Route("GET", "/v1/organization/members", "members", total="total"),
    "updateMemberRole": Route("PUT", "/v1/organization/members/{userId}", "member"),
    "removeMember": Route("DELETE", "/v1/organization/members/{userId}"),
    "listProjectMembers": Route("GET", "/v1/projects/{projectId}/members", "members", total="total"),
    "updateProjectMemberRole": Route("PUT", "/v1/projects/{projectId}/members/{userId}", "member"),
    "removeProjectMember": Route("DELETE", "/v1/projects/{projectId}/members/{userId}"),
    # Invitations
    "listInvitations": Route("GET", "/v1/organization/invitations", "invitations"),
    "createInvitations": Route("POST", "/v1/organization/invitations", "invitations"),
    "resendInvitation": Route("PUT", "/v1/organization/invitations/{invitationId}", "invitation"),
    "deleteInvitation": Route("DELETE", "/v1/organization/invitations/{invitationId}"),
    "listProjectInvitations": Route("GET", "/v1/projects/{projectId}/invitations", "invitations"),
    "createProjectInvitations": Route("POST", "/v1/projects/{projectId}/invitations", "invitations"),
    "resendProjectInvitation": Route("PUT", "/v1/projects/{projectId}/invitations/{invitationId}", "invitation"),
    "deleteProjectInvitation": Route("DELETE", "/v1/projects/{projectId}/invitations/{invitationId}"),
    # Roles, policies and permissions
    "listRoles": Route("GET", "/v1/organization/roles", "roles"),
    "createRole": Route("POST", "/v1/organization/roles", "role"),
    "updateRole": Route("PUT", "/v1/organization/roles/{roleId}", "role"),
    "deleteRole": Route("DELETE", "/v1/organization/roles/{roleId}"),
    "listProjectRoles": Route("GET", "/v1/projects/{projectId}/roles", "roles"),
    "createProjectRole": Route("POST", "/v1/projects/{projectId}/roles", "role"),
    "updateProjectRole": Route("PUT", "/v1/projects/{projectId}/roles/{roleId}", "role"),
    "deleteProjectRole": Route("DELETE", "/v1/projects/{projectId}/roles/{roleId}"),
    "listPolicies": Route("GET", "/v1/organization/policies", "policies"),
    "createPolicy": Route("POST", "/v1/organization/policies", "policy"),
    "updatePolicy": Route("PUT", "/v1/organization/policies/{policyId}", "policy"),
    "deletePolicy": Route("DELETE", "/v1/organization/policies/{policyId}"),
    "listProjectPolicies": Route("GET", "/v1/projects/{projectId}/policies", "policies"),
    "createProjectPolicy": Route("POST", "/v1/projects/{projectId}/policies", "policy"),
    "updateProjectPolicy": Route("PUT", "/v1/projects/{projectId}/policies/{policyId}", "policy"),
    "deleteProjectPolicy": Route("DELETE", "/v1/projects/{projectId}/policies/{policyId}"),
    "listPermissions": Route("GET", "/v1/organization/permissions", "permissions"),
    "listProjectPermissions": Route("GET", "/v1/projects/{projectId}/permissions", "permissions"),
    # Governance
    "listGovernancePolicies": Route("GET", "/v1/organization/governance-policies", "governancePolicies"),
    "listGovernancePolicyProjects": Route(
        "GET", "/v1/organization/governance-policies/{policyId}/projects", "projects", total="total"
    ),
    "assignProjectsToGovernancePolicy": Route("POST", "/v1/organization/governance-policies/{policyId}/assign"),
    "unassignProjectsFromGovernancePolicy": Route("POST", "/v1/organization/governance-policies/{policyId}/unassign"),
}

V1 = Version("v1", ROUTES)
