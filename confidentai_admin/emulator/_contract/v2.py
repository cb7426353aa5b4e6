"""The second version of the management API as this emulator knows it: the operations that it has and their shapes.

It has a table of its own, which stands alone like the first version's: what the two have alike is said twice, so that
neither changes with the other. `data` is the object itself, whatever an answer has is always there, and what there is
none of is null.
"""

from typing import Final

from ..refusal import (
    BUILT_IN,
    BUILT_IN_UNKNOWN,
    NOBODY_LEFT_TO_INVITE,
    NOBODY_TO_INVITE,
    UNKNOWN_ROLE,
    UNUSABLE_ROLE,
    Rule,
)
from .choices import CONTROL_TYPES, INVITATION_STATUSES, PLANS
from .operation import Operation
from .shapes import Field, ListOf, Record, Shape, Text, Truth, Whole

DEFAULT_PAGE_SIZE: Final = 25
MAX_PAGE_SIZE: Final = 100

#: Where this version refuses by another rule than the first.
REFUSALS: Final[dict[Rule, Rule]] = {
    BUILT_IN: BUILT_IN_UNKNOWN,
    UNKNOWN_ROLE: UNUSABLE_ROLE,
    NOBODY_TO_INVITE: NOBODY_LEFT_TO_INVITE,
}


def _has(name: str, shape: Shape) -> Field:
    return Field(name, shape)


def _has_or_null(name: str, shape: Shape) -> Field:
    return Field(name, shape, nullable=True)


def _may_have(name: str, shape: Shape) -> Field:
    return Field(name, shape, required=False)


def _may_have_or_null(name: str, shape: Shape) -> Field:
    return Field(name, shape, required=False, nullable=True)


_TEXT = Text()
_NAME = Text(min_length=1)
_EMAIL = Text(format="email")
_INVITEE = Text(format="email", trimmed=True)
_TIME = Text(format="date-time")
_WHOLE = Whole()
_TRUTH = Truth()
_TEXTS = ListOf(_TEXT)
_SOME_TEXTS = ListOf(_TEXT, min_items=1)

# What answers are made of.

_NAMED = Record((_has("id", _TEXT), _has("name", _TEXT)))

_ORGANIZATION = Record(
    (
        _has("id", _TEXT),
        _has("name", _TEXT),
        _has("plan", Text(choices=PLANS)),
        _has("created_at", _TIME),
    )
)

_NEW_PROJECT = Record(
    (
        _has("id", _TEXT),
        _has("name", _TEXT),
        _has_or_null("description", _TEXT),
        _has("organizationId", _TEXT),
        _has("created_at", _TIME),
    )
)

_PROJECT = Record((*_NEW_PROJECT.fields, _has_or_null("governancePolicy", _NAMED)))

_API_KEY = Record(
    (
        _has("id", _WHOLE),
        _has_or_null("name", _TEXT),
        _has("valid", _TRUTH),
        _has("created_at", _TIME),
        _has_or_null("expiresAt", _TIME),
        _has("value", _TEXT),
        _has_or_null("shadowValue", _TEXT),
        _has_or_null("rotatesAt", _TIME),
        _has_or_null("lastUsed", _TIME),
    )
)


def _member(role: str) -> Record:
    """Give the shape of a member, whose role has a name of its own at each scope."""
    return Record(
        (
            _has("id", _TEXT),
            _has("email", _TEXT),
            _has_or_null("name", _TEXT),
            _has_or_null("image", _TEXT),
            _has_or_null(role, _NAMED),
        )
    )


def _invitation(role_id: str) -> Record:
    """Give the shape of an invitation, likewise."""
    return Record(
        (
            _has("id", _WHOLE),
            _has("email", _TEXT),
            _has("status", Text(choices=INVITATION_STATUSES)),
            _has("created_at", _TIME),
            _has_or_null(role_id, _TEXT),
            _has_or_null("token", _TEXT),
        )
    )


def _role(scope_id: str) -> Record:
    """Give the shape of a role, likewise."""
    return Record(
        (
            _has("id", _TEXT),
            _has("name", _TEXT),
            _has_or_null("description", _TEXT),
            _has("policies", ListOf(_NAMED)),
            _has_or_null(scope_id, _TEXT),
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
        _has("id", _TEXT),
        _has("name", _TEXT),
        _has_or_null("description", _TEXT),
        _has("permissions", ListOf(_NAMED)),
    )
)

_PERMISSION = Record((_has("id", _TEXT), _has("name", _TEXT), _has_or_null("description", _TEXT)))

_GOVERNANCE_CONTROL = Record((_has("id", _TEXT), _has("name", _TEXT), _has("type", Text(choices=CONTROL_TYPES))))

_GOVERNANCE_POLICY = Record(
    (
        _has("id", _TEXT),
        _has("name", _TEXT),
        _has_or_null("description", _TEXT),
        _has("projectsCount", _WHOLE),
        _has("isBasePolicy", _TRUTH),
        _has("controls", ListOf(_GOVERNANCE_CONTROL)),
    )
)

_TEXT_ID = Record((_has("id", _TEXT),))
_WHOLE_ID = Record((_has("id", _WHOLE),))


def _all(name: str, shape: Record) -> Record:
    """Give the shape of an answer that lists things, all at once."""
    return Record((_has(name, ListOf(shape)),))


def _page(name: str, shape: Record, total: str) -> Record:
    """Give the shape of an answer that lists one page of things, and says which page that is."""
    return Record((_has(name, ListOf(shape)), _has(total, _WHOLE), _has("page", _WHOLE), _has("pageSize", _WHOLE)))


def _moved(moved: str, others: str) -> Record:
    """Give the shape of an answer about projects that were put under a governance policy or taken from it."""
    return Record(
        (
            _has("governancePolicy", _NAMED),
            _has(moved, _TEXTS),
            _has(others, _TEXTS),
            _has("count", _WHOLE),
        )
    )


_ASSESSMENT = Record((_has("passed", _TRUTH), _has("governancePolicy", _NAMED)))

_CREATED_PROJECT = Record((_has("project", _NEW_PROJECT), _has_or_null("apiKey", _API_KEY)))

# What requests are made of.

_PAGING = (
    Field("page", Whole(minimum=1), required=False, default=1),
    Field("pageSize", Whole(minimum=1, maximum=MAX_PAGE_SIZE), required=False, default=DEFAULT_PAGE_SIZE),
)

_POLICY_BODY = Record(
    (_has("name", _NAME), _may_have_or_null("description", _TEXT), _has("permissionIds", _TEXTS)),
)

_ROLE_BODY = Record(
    (_has("name", _NAME), _may_have_or_null("description", _TEXT), _has("policyIds", _TEXTS)),
)

_MEMBER_ROLE_BODY = Record((_has("roleId", _TEXT),))

_PROJECT_IDS_BODY = Record((_has("projectIds", _SOME_TEXTS),))

_NAME_BODY = Record((_has("name", _NAME),))

# So long that nothing in use is refused, and so short that there is a date at the end.
_DAYS = Whole(minimum=1, maximum=1_000_000)
_HOURS = Whole(minimum=0, maximum=24_000_000)

_NEW_KEY_BODY = Record((_has("name", _NAME), _may_have("expiresInDays", _DAYS)))

_ROTATION_BODY = Record((_may_have("gracePeriodInHours", _HOURS), _may_have_or_null("expiresInDays", _DAYS)))

_VALID_BODY = Record((_has("valid", _TRUTH),))

_NEW_PROJECT_BODY = Record((_has("name", _NAME), _may_have("description", _TEXT), _may_have("email", _EMAIL)))

_PROJECT_BODY = Record((_may_have("name", _NAME), _may_have("description", _TEXT)), min_fields=1)


def _invitations_body(role_id: str) -> Record:
    return Record((_has("emails", ListOf(_INVITEE, min_items=1, max_items=50)), _may_have(role_id, _TEXT)))


_ORGANIZATION_INVITATIONS_BODY = _invitations_body("organizationRoleId")
_PROJECT_INVITATIONS_BODY = _invitations_body("projectRoleId")

# What this version has settled where the rules can do one thing or another.

_NEWEST_FIRST: Final = {"newest_first": True}
_FOR_COMPANIES: Final = {"for_companies": True}
_SYSTEMS_NAMES_IN_ANY_CASE: Final = {"systems_names_in_any_case": True}

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation("getOrganization", "GET", "/v2/organization", _ORGANIZATION),
    Operation("updateOrganization", "PUT", "/v2/organization", _ORGANIZATION, body=_NAME_BODY),
    Operation(
        "listOrganizationApiKeys", "GET", "/v2/organization/api-keys", _all("apiKeys", _API_KEY), settled=_NEWEST_FIRST
    ),
    Operation("createOrganizationApiKey", "POST", "/v2/organization/api-keys", _API_KEY, body=_NEW_KEY_BODY),
    Operation("getOrganizationApiKey", "GET", "/v2/organization/api-keys/{apiKeyId}", _API_KEY),
    Operation(
        "updateOrganizationApiKey",
        "PUT",
        "/v2/organization/api-keys/{apiKeyId}",
        _API_KEY,
        body=_VALID_BODY,
    ),
    Operation("deleteOrganizationApiKey", "DELETE", "/v2/organization/api-keys/{apiKeyId}", _WHOLE_ID),
    Operation(
        "rotateOrganizationApiKey",
        "POST",
        "/v2/organization/api-keys/{apiKeyId}/rotate",
        _API_KEY,
        body=_ROTATION_BODY,
        needs_body=False,
    ),
    Operation(
        "listMembers",
        "GET",
        "/v2/organization/members",
        _page("members", _ORGANIZATION_MEMBER, "totalOrganizationMembers"),
        query=_PAGING,
    ),
    Operation(
        "updateMemberRole",
        "PUT",
        "/v2/organization/members/{userId}",
        _ORGANIZATION_MEMBER,
        body=_MEMBER_ROLE_BODY,
    ),
    Operation(
        "removeMember",
        "DELETE",
        "/v2/organization/members/{userId}",
        _TEXT_ID,
        settled={"even_owners_of_projects": True},
    ),
    Operation("listInvitations", "GET", "/v2/organization/invitations", _all("invitations", _ORGANIZATION_INVITATION)),
    Operation(
        "createInvitations",
        "POST",
        "/v2/organization/invitations",
        _all("invitations", _ORGANIZATION_INVITATION),
        body=_ORGANIZATION_INVITATIONS_BODY,
        settled=_FOR_COMPANIES,
    ),
    Operation(
        "resendInvitation",
        "PUT",
        "/v2/organization/invitations/{invitationId}",
        _ORGANIZATION_INVITATION,
        settled={"anew": True},
    ),
    Operation(
        "deleteInvitation",
        "DELETE",
        "/v2/organization/invitations/{invitationId}",
        _WHOLE_ID,
        settled={"even_accepted": True},
    ),
    Operation("listRoles", "GET", "/v2/organization/roles", _all("roles", _ORGANIZATION_ROLE)),
    Operation(
        "createRole",
        "POST",
        "/v2/organization/roles",
        _ORGANIZATION_ROLE,
        body=_ROLE_BODY,
        settled=_SYSTEMS_NAMES_IN_ANY_CASE,
    ),
    Operation(
        "updateRole",
        "PUT",
        "/v2/organization/roles/{roleId}",
        _ORGANIZATION_ROLE,
        body=_ROLE_BODY,
        settled=_SYSTEMS_NAMES_IN_ANY_CASE,
    ),
    Operation("deleteRole", "DELETE", "/v2/organization/roles/{roleId}", _TEXT_ID),
    Operation("listPolicies", "GET", "/v2/organization/policies", _all("policies", _POLICY)),
    Operation("createPolicy", "POST", "/v2/organization/policies", _POLICY, body=_POLICY_BODY),
    Operation("updatePolicy", "PUT", "/v2/organization/policies/{policyId}", _POLICY, body=_POLICY_BODY),
    Operation(
        "deletePolicy", "DELETE", "/v2/organization/policies/{policyId}", _TEXT_ID, settled={"even_in_use": True}
    ),
    Operation("listPermissions", "GET", "/v2/organization/permissions", _all("permissions", _PERMISSION)),
    Operation(
        "listGovernancePolicies",
        "GET",
        "/v2/organization/governance-policies",
        _all("governancePolicies", _GOVERNANCE_POLICY),
        settled=_NEWEST_FIRST,
    ),
    Operation(
        "listGovernancePolicyProjects",
        "GET",
        "/v2/organization/governance-policies/{policyId}/projects",
        _page("projects", _NAMED, "totalGovernancePolicyProjects"),
        query=_PAGING,
        settled=_NEWEST_FIRST,
    ),
    Operation(
        "assignProjectsToGovernancePolicy",
        "POST",
        "/v2/organization/governance-policies/{policyId}/assign",
        _moved("assignedProjectIds", "notFoundProjectIds"),
        body=_PROJECT_IDS_BODY,
    ),
    Operation(
        "unassignProjectsFromGovernancePolicy",
        "POST",
        "/v2/organization/governance-policies/{policyId}/unassign",
        _moved("unassignedProjectIds", "skippedProjectIds"),
        body=_PROJECT_IDS_BODY,
    ),
    Operation("assessGovernance", "POST", "/v2/governance/assess", _ASSESSMENT, key="project"),
    Operation("listProjects", "GET", "/v2/projects", _all("projects", _PROJECT), settled={"by_name": True}),
    Operation(
        "createProject", "POST", "/v2/projects", _CREATED_PROJECT, body=_NEW_PROJECT_BODY, settled={"limited": True}
    ),
    Operation("getProject", "GET", "/v2/projects/{projectId}", _PROJECT),
    Operation("updateProject", "PUT", "/v2/projects/{projectId}", _PROJECT, body=_PROJECT_BODY),
    Operation("deleteProject", "DELETE", "/v2/projects/{projectId}", _TEXT_ID),
    Operation(
        "listProjectApiKeys",
        "GET",
        "/v2/projects/{projectId}/api-keys",
        _all("apiKeys", _API_KEY),
        settled=_NEWEST_FIRST,
    ),
    Operation("createProjectApiKey", "POST", "/v2/projects/{projectId}/api-keys", _API_KEY, body=_NEW_KEY_BODY),
    Operation("getProjectApiKey", "GET", "/v2/projects/{projectId}/api-keys/{apiKeyId}", _API_KEY),
    Operation(
        "updateProjectApiKey",
        "PUT",
        "/v2/projects/{projectId}/api-keys/{apiKeyId}",
        _API_KEY,
        body=_VALID_BODY,
    ),
    Operation("deleteProjectApiKey", "DELETE", "/v2/projects/{projectId}/api-keys/{apiKeyId}", _WHOLE_ID),
    Operation(
        "rotateProjectApiKey",
        "POST",
        "/v2/projects/{projectId}/api-keys/{apiKeyId}/rotate",
        _API_KEY,
        body=_ROTATION_BODY,
        needs_body=False,
    ),
    Operation(
        "listProjectMembers",
        "GET",
        "/v2/projects/{projectId}/members",
        _page("members", _PROJECT_MEMBER, "totalProjectMembers"),
        query=_PAGING,
    ),
    Operation(
        "updateProjectMemberRole",
        "PUT",
        "/v2/projects/{projectId}/members/{userId}",
        _PROJECT_MEMBER,
        body=_MEMBER_ROLE_BODY,
    ),
    Operation("removeProjectMember", "DELETE", "/v2/projects/{projectId}/members/{userId}", _TEXT_ID),
    Operation(
        "listProjectInvitations",
        "GET",
        "/v2/projects/{projectId}/invitations",
        _all("invitations", _PROJECT_INVITATION),
    ),
    Operation(
        "createProjectInvitations",
        "POST",
        "/v2/projects/{projectId}/invitations",
        _all("invitations", _PROJECT_INVITATION),
        body=_PROJECT_INVITATIONS_BODY,
        settled=_FOR_COMPANIES,
    ),
    Operation(
        "resendProjectInvitation",
        "PUT",
        "/v2/projects/{projectId}/invitations/{invitationId}",
        _PROJECT_INVITATION,
        settled={"anew": True},
    ),
    Operation(
        "deleteProjectInvitation",
        "DELETE",
        "/v2/projects/{projectId}/invitations/{invitationId}",
        _WHOLE_ID,
        settled={"even_accepted": True},
    ),
    Operation("listProjectRoles", "GET", "/v2/projects/{projectId}/roles", _all("roles", _PROJECT_ROLE)),
    Operation(
        "createProjectRole",
        "POST",
        "/v2/projects/{projectId}/roles",
        _PROJECT_ROLE,
        body=_ROLE_BODY,
        settled=_SYSTEMS_NAMES_IN_ANY_CASE,
    ),
    Operation(
        "updateProjectRole",
        "PUT",
        "/v2/projects/{projectId}/roles/{roleId}",
        _PROJECT_ROLE,
        body=_ROLE_BODY,
        settled=_SYSTEMS_NAMES_IN_ANY_CASE,
    ),
    Operation("deleteProjectRole", "DELETE", "/v2/projects/{projectId}/roles/{roleId}", _TEXT_ID),
    Operation("listProjectPolicies", "GET", "/v2/projects/{projectId}/policies", _all("policies", _POLICY)),
    Operation("createProjectPolicy", "POST", "/v2/projects/{projectId}/policies", _POLICY, body=_POLICY_BODY),
    Operation(
        "updateProjectPolicy",
        "PUT",
        "/v2/projects/{projectId}/policies/{policyId}",
        _POLICY,
        body=_POLICY_BODY,
    ),
    Operation(
        "deleteProjectPolicy",
        "DELETE",
        "/v2/projects/{projectId}/policies/{policyId}",
        _TEXT_ID,
        settled={"even_in_use": True},
    ),
    Operation(
        "listProjectPermissions", "GET", "/v2/projects/{projectId}/permissions", _all("permissions", _PERMISSION)
    ),
)

BY_NAME: Final[dict[str, Operation]] = {operation.name: operation for operation in OPERATIONS}
