"""The first version of the management API as this emulator knows it: the 53 operations and their shapes.

The table is plain data and stands alone: nothing in it comes from the client, so that a mistake there cannot
agree with itself here. `OPERATIONS` is in the order of the API's nouns, `BY_NAME` finds one by its operationId.
"""

from typing import Final

from .choices import CONTROL_TYPES, INVITATION_STATUSES, PLANS
from .operation import Operation
from .shapes import Field, ListOf, Record, Shape, Text, Truth, Whole

DEFAULT_PAGE_SIZE: Final = 25
MAX_PAGE_SIZE: Final = 100


def _required(name: str, shape: Shape) -> Field:
    return Field(name, shape)


def _optional(name: str, shape: Shape) -> Field:
    return Field(name, shape, required=False)


def _or_null(name: str, shape: Shape) -> Field:
    return Field(name, shape, required=False, nullable=True)


_TEXT = Text()
_NAME = Text(min_length=1)
_EMAIL = Text(format="email")
_UUID = Text(format="uuid")
_TIME = Text(format="date-time")
_WHOLE = Whole()
_TRUTH = Truth()
_TEXTS = ListOf(_TEXT)
_SOME_TEXTS = ListOf(_TEXT, min_items=1)

# What answers are made of.

_NAMED = Record((_required("id", _TEXT), _required("name", _TEXT)))

_ORGANIZATION = Record(
    (
        _required("id", _TEXT),
        _required("name", _TEXT),
        _required("plan", Text(choices=PLANS)),
        _required("created_at", _TIME),
    )
)

_PROJECT = Record(
    (
        _required("id", _TEXT),
        _required("name", _TEXT),
        _or_null("description", _TEXT),
        _optional("organizationId", _TEXT),
        _optional("created_at", _TIME),
        _or_null("governancePolicy", _NAMED),
    )
)

_API_KEY = Record(
    (
        _required("id", _WHOLE),
        _or_null("name", _TEXT),
        _required("valid", _TRUTH),
        _required("value", _TEXT),
        _required("created_at", _TIME),
        _or_null("lastUsed", _TIME),
    )
)


def _member(role: str) -> Record:
    """Give the shape of a member, whose role has a name of its own at each scope."""
    return Record(
        (
            _required("id", _TEXT),
            _required("email", _TEXT),
            _or_null("name", _TEXT),
            _or_null("image", _TEXT),
            _or_null(role, _NAMED),
        )
    )


def _invitation(role_id: str) -> Record:
    """Give the shape of an invitation, likewise."""
    return Record(
        (
            _required("id", _WHOLE),
            _required("email", _TEXT),
            _required("status", Text(choices=INVITATION_STATUSES)),
            _required("created_at", _TIME),
            _or_null(role_id, _TEXT),
        )
    )


def _role(scope_id: str) -> Record:
    """Give the shape of a role, likewise."""
    return Record(
        (
            _required("id", _TEXT),
            _required("name", _TEXT),
            _or_null("description", _TEXT),
            _or_null(scope_id, _TEXT),
            _optional("policies", ListOf(_NAMED)),
        )
    )


_ORGANIZATION_MEMBER = _member("organizationRole")
_PROJECT_MEMBER = _member("projectRole")
_ORGANIZATION_INVITATION = _invitation("organizationRoleId")
_PROJECT_INVITATION = _invitation("projectRoleId")
_ORGANIZATION_ROLE = _role("organizationId")
_PROJECT_ROLE = _role("projectId")

_POLICY = Record(
    (
        _required("id", _TEXT),
        _required("name", _TEXT),
        _or_null("description", _TEXT),
        _optional("permissions", ListOf(_NAMED)),
    )
)

_PERMISSION = Record((_required("id", _TEXT), _required("name", _TEXT), _or_null("description", _TEXT)))

_GOVERNANCE_CONTROL = Record(
    (_required("id", _TEXT), _required("name", _TEXT), _required("type", Text(choices=CONTROL_TYPES)))
)

_GOVERNANCE_POLICY = Record(
    (
        _required("id", _TEXT),
        _required("name", _TEXT),
        _or_null("description", _TEXT),
        _required("projectsCount", _WHOLE),
        _required("controls", ListOf(_GOVERNANCE_CONTROL)),
    )
)

_DELETED_TEXT = Record((_required("id", _TEXT), _required("deleted", _TRUTH)))
_DELETED_WHOLE = Record((_required("id", _WHOLE), _required("deleted", _TRUTH)))
_REMOVED = Record((_required("id", _TEXT), _required("removed", _TRUTH)))


def _one(name: str, shape: Record) -> Record:
    """Give the shape of an answer that has one thing in it, by its name."""
    return Record((_required(name, shape),))


def _all(name: str, shape: Record) -> Record:
    """Give the shape of an answer that lists things, all at once."""
    return Record((_required(name, ListOf(shape)),))


def _page(name: str, shape: Record) -> Record:
    """Give the shape of an answer that lists one page of things."""
    return Record((_required(name, ListOf(shape)), _required("total", _WHOLE)))


def _moved(moved: str, others: str) -> Record:
    """Give the shape of an answer about projects that were put under a governance policy or taken from it."""
    return Record(
        (
            _required("governancePolicy", _NAMED),
            _required(moved, _TEXTS),
            _required(others, _TEXTS),
            _required("count", _WHOLE),
        )
    )


_CREATED_PROJECT = Record((_required("project", _PROJECT), _optional("apiKey", _API_KEY)))

# What requests are made of.

_PAGING = (
    Field("page", Whole(minimum=1), required=False, default=1),
    Field("pageSize", Whole(minimum=1, maximum=MAX_PAGE_SIZE), required=False, default=DEFAULT_PAGE_SIZE),
)

_POLICY_BODY = Record(
    (_required("name", _NAME), _or_null("description", _TEXT), _required("permissionIds", _SOME_TEXTS)),
)

_ROLE_BODY = Record(
    (_required("name", _NAME), _or_null("description", _TEXT), _required("policyIds", _SOME_TEXTS)),
)

_MEMBER_ROLE_BODY = Record((_required("roleId", _TEXT),))

_PROJECT_IDS_BODY = Record((_required("projectIds", _SOME_TEXTS),))

_NAME_BODY = Record((_required("name", _NAME),))

_VALID_BODY = Record((_required("valid", _TRUTH),))

_NEW_PROJECT_BODY = Record((_required("name", _NAME), _optional("description", _TEXT), _optional("email", _EMAIL)))

_PROJECT_BODY = Record((_optional("name", _NAME), _optional("description", _TEXT)))


def _invitations_body(role_id: str) -> Record:
    return Record((_required("emails", ListOf(_EMAIL, min_items=1)), _optional(role_id, _UUID)))


_ORGANIZATION_INVITATIONS_BODY = _invitations_body("organizationRoleId")
_PROJECT_INVITATIONS_BODY = _invitations_body("projectRoleId")

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("getOrganization", "GET", "/v1/organization", _one("organization", _ORGANIZATION)),
    Operation("updateOrganization", "PUT", "/v1/organization", _one("organization", _ORGANIZATION), body=_NAME_BODY),
    Operation("listOrganizationApiKeys", "GET", "/v1/organization/api-keys", _all("apiKeys", _API_KEY)),
    Operation(
        "createOrganizationApiKey", "POST", "/v1/organization/api-keys", _one("apiKey", _API_KEY), body=_NAME_BODY
    ),
    Operation("getOrganizationApiKey", "GET", "/v1/organization/api-keys/{apiKeyId}", _one("apiKey", _API_KEY)),
    Operation(
        "updateOrganizationApiKey",
        "PUT",
        "/v1/organization/api-keys/{apiKeyId}",
        _one("apiKey", _API_KEY),
        body=_VALID_BODY,
    ),
    Operation("deleteOrganizationApiKey", "DELETE", "/v1/organization/api-keys/{apiKeyId}", _DELETED_WHOLE),
    Operation("listMembers", "GET", "/v1/organization/members", _page("members", _ORGANIZATION_MEMBER), query=_PAGING),
    Operation(
        "updateMemberRole",
        "PUT",
        "/v1/organization/members/{userId}",
        _one("member", _ORGANIZATION_MEMBER),
        body=_MEMBER_ROLE_BODY,
    ),
    Operation("removeMember", "DELETE", "/v1/organization/members/{userId}", _REMOVED),
    Operation("listInvitations", "GET", "/v1/organization/invitations", _all("invitations", _ORGANIZATION_INVITATION)),
    Operation(
        "createInvitations",
        "POST",
        "/v1/organization/invitations",
        _all("invitations", _ORGANIZATION_INVITATION),
        body=_ORGANIZATION_INVITATIONS_BODY,
    ),
    Operation(
        "resendInvitation",
        "PUT",
        "/v1/organization/invitations/{invitationId}",
        _one("invitation", _ORGANIZATION_INVITATION),
    ),
    Operation("deleteInvitation", "DELETE", "/v1/organization/invitations/{invitationId}", _DELETED_WHOLE),
    Operation("listRoles", "GET", "/v1/organization/roles", _all("roles", _ORGANIZATION_ROLE)),
    Operation("createRole", "POST", "/v1/organization/roles", _one("role", _ORGANIZATION_ROLE), body=_ROLE_BODY),
    Operation(
        "updateRole", "PUT", "/v1/organization/roles/{roleId}", _one("role", _ORGANIZATION_ROLE), body=_ROLE_BODY
    ),
    Operation("deleteRole", "DELETE", "/v1/organization/roles/{roleId}", _DELETED_TEXT),
    Operation("listPolicies", "GET", "/v1/organization/policies", _all("policies", _POLICY)),
    Operation("createPolicy", "POST", "/v1/organization/policies", _one("policy", _POLICY), body=_POLICY_BODY),
    Operation(
        "updatePolicy", "PUT", "/v1/organization/policies/{policyId}", _one("policy", _POLICY), body=_POLICY_BODY
    ),
    Operation("deletePolicy", "DELETE", "/v1/organization/policies/{policyId}", _DELETED_TEXT),
    Operation("listPermissions", "GET", "/v1/organization/permissions", _all("permissions", _PERMISSION)),
    Operation(
        "listGovernancePolicies",
        "GET",
        "/v1/organization/governance-policies",
        _all("governancePolicies", _GOVERNANCE_POLICY),
    ),
    Operation(
        "listGovernancePolicyProjects",
        "GET",
        "/v1/organization/governance-policies/{policyId}/projects",
        _page("projects", _NAMED),
        query=_PAGING,
    ),
    Operation(
        "assignProjectsToGovernancePolicy",
        "POST",
        "/v1/organization/governance-policies/{policyId}/assign",
        _moved("assignedProjectIds", "notFoundProjectIds"),
        body=_PROJECT_IDS_BODY,
    ),
    Operation(
        "unassignProjectsFromGovernancePolicy",
        "POST",
        "/v1/organization/governance-policies/{policyId}/unassign",
        _moved("unassignedProjectIds", "skippedProjectIds"),
        body=_PROJECT_IDS_BODY,
    ),
    Operation("listProjects", "GET", "/v1/projects", _all("projects", _PROJECT)),
    Operation("createProject", "POST", "/v1/projects", _CREATED_PROJECT, body=_NEW_PROJECT_BODY),
    Operation("getProject", "GET", "/v1/projects/{projectId}", _one("project", _PROJECT)),
    Operation("updateProject", "PUT", "/v1/projects/{projectId}", _one("project", _PROJECT), body=_PROJECT_BODY),
    Operation("deleteProject", "DELETE", "/v1/projects/{projectId}", _DELETED_TEXT),
    Operation("listProjectApiKeys", "GET", "/v1/projects/{projectId}/api-keys", _all("apiKeys", _API_KEY)),
    Operation(
        "createProjectApiKey", "POST", "/v1/projects/{projectId}/api-keys", _one("apiKey", _API_KEY), body=_NAME_BODY
    ),
    Operation("getProjectApiKey", "GET", "/v1/projects/{projectId}/api-keys/{apiKeyId}", _one("apiKey", _API_KEY)),
    Operation(
        "updateProjectApiKey",
        "PUT",
        "/v1/projects/{projectId}/api-keys/{apiKeyId}",
        _one("apiKey", _API_KEY),
        body=_VALID_BODY,
    ),
    Operation("deleteProjectApiKey", "DELETE", "/v1/projects/{projectId}/api-keys/{apiKeyId}", _DELETED_WHOLE),
    Operation(
        "listProjectMembers",
        "GET",
        "/v1/projects/{projectId}/members",
        _page("members", _PROJECT_MEMBER),
        query=_PAGING,
    ),
    Operation(
        "updateProjectMemberRole",
        "PUT",
        "/v1/projects/{projectId}/members/{userId}",
        _one("member", _PROJECT_MEMBER),
        body=_MEMBER_ROLE_BODY,
    ),
    Operation("removeProjectMember", "DELETE", "/v1/projects/{projectId}/members/{userId}", _REMOVED),
    Operation(
        "listProjectInvitations",
        "GET",
        "/v1/projects/{projectId}/invitations",
        _all("invitations", _PROJECT_INVITATION),
    ),
    Operation(
        "createProjectInvitations",
        "POST",
        "/v1/projects/{projectId}/invitations",
        _all("invitations", _PROJECT_INVITATION),
        body=_PROJECT_INVITATIONS_BODY,
    ),
    Operation(
        "resendProjectInvitation",
        "PUT",
        "/v1/projects/{projectId}/invitations/{invitationId}",
        _one("invitation", _PROJECT_INVITATION),
    ),
    Operation(
        "deleteProjectInvitation", "DELETE", "/v1/projects/{projectId}/invitations/{invitationId}", _DELETED_WHOLE
    ),
    Operation("listProjectRoles", "GET", "/v1/projects/{projectId}/roles", _all("roles", _PROJECT_ROLE)),
    Operation(
        "createProjectRole", "POST", "/v1/projects/{projectId}/roles", _one("role", _PROJECT_ROLE), body=_ROLE_BODY
    ),
    Operation(
        "updateProjectRole",
        "PUT",
        "/v1/projects/{projectId}/roles/{roleId}",
        _one("role", _PROJECT_ROLE),
        body=_ROLE_BODY,
    ),
    Operation("deleteProjectRole", "DELETE", "/v1/projects/{projectId}/roles/{roleId}", _DELETED_TEXT),
    Operation("listProjectPolicies", "GET", "/v1/projects/{projectId}/policies", _all("policies", _POLICY)),
    Operation(
        "createProjectPolicy", "POST", "/v1/projects/{projectId}/policies", _one("policy", _POLICY), body=_POLICY_BODY
    ),
    Operation(
        "updateProjectPolicy",
        "PUT",
        "/v1/projects/{projectId}/policies/{policyId}",
        _one("policy", _POLICY),
        body=_POLICY_BODY,
    ),
    Operation("deleteProjectPolicy", "DELETE", "/v1/projects/{projectId}/policies/{policyId}", _DELETED_TEXT),
    Operation(
        "listProjectPermissions", "GET", "/v1/projects/{projectId}/permissions", _all("permissions", _PERMISSION)
    ),
)

BY_NAME: Final[dict[str, Operation]] = {operation.name: operation for operation in OPERATIONS}
