"""The management API as this emulator knows it: the 53 operations and their shapes.

The table is plain data and stands alone: nothing in it comes from the client, so that a mistake there cannot
agree with itself here. `OPERATIONS` is in the order of the API's nouns, `BY_NAME` finds one by its operationId.
"""

import re
from typing import Final, Literal, TypeAlias

import attrs

from .shapes import Field, ListOf, Record, Shape, Text, Truth, Whole

Method: TypeAlias = Literal["GET", "POST", "PUT", "DELETE"]

PLANS: Final = ("TRIAL", "FREE", "STARTER", "TEAM", "PREMIUM", "ENTERPRISE")
INVITATION_STATUSES: Final = ("PENDING", "ACCEPTED", "DECLINED")
CONTROL_TYPES: Final = ("RUNTIME", "PRE_DEPLOYMENT_EVALS", "PRE_DEPLOYMENT_RED_TEAMING", "OPERATIONAL")

DEFAULT_PAGE_SIZE: Final = 25
MAX_PAGE_SIZE: Final = 100


@attrs.frozen
class Operation:
    """One operation of the API.

    `body` is None where no request body is read. `data` is the shape of the `data` in a successful answer's
    envelope; the answer's status is always 200. `changes_state` tells the writes from the reads.
    """

    name: str
    method: Method
    path: str
    data: Record
    body: Record | None = None
    query: tuple[Field, ...] = ()

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """The names between braces in the path, in order."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def changes_state(self) -> bool:
        """Whether this operation is a write."""
        return self.method != "GET"


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


def _member(role_field: str) -> Record:
    return Record(
        (
            _required("id", _TEXT),
            _required("email", _TEXT),
            _or_null("name", _TEXT),
            _or_null("image", _TEXT),
            _or_null(role_field, _NAMED),
        )
    )


def _invitation(role_id_field: str) -> Record:
    return Record(
        (
            _required("id", _WHOLE),
            _required("email", _TEXT),
            _required("status", Text(choices=INVITATION_STATUSES)),
            _required("created_at", _TIME),
            _or_null(role_id_field, _TEXT),
        )
    )


def _role(scope_id_field: str) -> Record:
    return Record(
        (
            _required("id", _TEXT),
            _required("name", _TEXT),
            _or_null("description", _TEXT),
            _or_null(scope_id_field, _TEXT),
            _optional("policies", ListOf(_NAMED)),
        )
    )


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


def _invitations_body(role_id_field: str) -> Record:
    return Record((_required("emails", ListOf(_EMAIL, min_items=1)), _optional(role_id_field, _UUID)))


def _organization() -> tuple[Operation, ...]:
    data = Record((_required("organization", _ORGANIZATION),))
    return (
        Operation("getOrganization", "GET", "/v1/organization", data),
        Operation("updateOrganization", "PUT", "/v1/organization", data, body=Record((_required("name", _NAME),))),
    )


def _projects() -> tuple[Operation, ...]:
    data = Record((_required("project", _PROJECT),))
    return (
        Operation("listProjects", "GET", "/v1/projects", Record((_required("projects", ListOf(_PROJECT)),))),
        Operation(
            "createProject",
            "POST",
            "/v1/projects",
            Record((_required("project", _PROJECT), _optional("apiKey", _API_KEY))),
            body=Record((_required("name", _NAME), _optional("description", _TEXT), _optional("email", _EMAIL))),
        ),
        Operation("getProject", "GET", "/v1/projects/{projectId}", data),
        Operation(
            "updateProject",
            "PUT",
            "/v1/projects/{projectId}",
            data,
            body=Record((_optional("name", _NAME), _optional("description", _TEXT))),
        ),
        Operation("deleteProject", "DELETE", "/v1/projects/{projectId}", _DELETED_TEXT),
    )


def _api_keys(scope: str, root: str) -> tuple[Operation, ...]:
    data = Record((_required("apiKey", _API_KEY),))
    one = f"{root}/api-keys/{{apiKeyId}}"
    return (
        Operation(f"list{scope}ApiKeys", "GET", f"{root}/api-keys", Record((_required("apiKeys", ListOf(_API_KEY)),))),
        Operation(f"create{scope}ApiKey", "POST", f"{root}/api-keys", data, body=Record((_required("name", _NAME),))),
        Operation(f"get{scope}ApiKey", "GET", one, data),
        Operation(f"update{scope}ApiKey", "PUT", one, data, body=Record((_required("valid", _TRUTH),))),
        Operation(f"delete{scope}ApiKey", "DELETE", one, _DELETED_WHOLE),
    )


def _members(scope: str, root: str, role_field: str) -> tuple[Operation, ...]:
    member = _member(role_field)
    one = f"{root}/members/{{userId}}"
    return (
        Operation(
            f"list{scope}Members",
            "GET",
            f"{root}/members",
            Record((_required("members", ListOf(member)), _required("total", _WHOLE))),
            query=_PAGING,
        ),
        Operation(
            f"update{scope}MemberRole", "PUT", one, Record((_required("member", member),)), body=_MEMBER_ROLE_BODY
        ),
        Operation(f"remove{scope}Member", "DELETE", one, _REMOVED),
    )


def _invitations(scope: str, root: str, role_id_field: str) -> tuple[Operation, ...]:
    invitation = _invitation(role_id_field)
    listing = Record((_required("invitations", ListOf(invitation)),))
    one = f"{root}/invitations/{{invitationId}}"
    return (
        Operation(f"list{scope}Invitations", "GET", f"{root}/invitations", listing),
        Operation(
            f"create{scope}Invitations",
            "POST",
            f"{root}/invitations",
            listing,
            body=_invitations_body(role_id_field),
        ),
        Operation(f"resend{scope}Invitation", "PUT", one, Record((_required("invitation", invitation),))),
        Operation(f"delete{scope}Invitation", "DELETE", one, _DELETED_WHOLE),
    )


def _roles(scope: str, root: str, scope_id_field: str) -> tuple[Operation, ...]:
    role = _role(scope_id_field)
    data = Record((_required("role", role),))
    one = f"{root}/roles/{{roleId}}"
    return (
        Operation(f"list{scope}Roles", "GET", f"{root}/roles", Record((_required("roles", ListOf(role)),))),
        Operation(f"create{scope}Role", "POST", f"{root}/roles", data, body=_ROLE_BODY),
        Operation(f"update{scope}Role", "PUT", one, data, body=_ROLE_BODY),
        Operation(f"delete{scope}Role", "DELETE", one, _DELETED_TEXT),
    )


def _policies(scope: str, root: str) -> tuple[Operation, ...]:
    data = Record((_required("policy", _POLICY),))
    one = f"{root}/policies/{{policyId}}"
    return (
        Operation(f"list{scope}Policies", "GET", f"{root}/policies", Record((_required("policies", ListOf(_POLICY)),))),
        Operation(f"create{scope}Policy", "POST", f"{root}/policies", data, body=_POLICY_BODY),
        Operation(f"update{scope}Policy", "PUT", one, data, body=_POLICY_BODY),
        Operation(f"delete{scope}Policy", "DELETE", one, _DELETED_TEXT),
    )


def _permissions(scope: str, root: str) -> tuple[Operation, ...]:
    data = Record((_required("permissions", ListOf(_PERMISSION)),))
    return (Operation(f"list{scope}Permissions", "GET", f"{root}/permissions", data),)


def _governance_policies() -> tuple[Operation, ...]:
    root = "/v1/organization/governance-policies"
    return (
        Operation(
            "listGovernancePolicies",
            "GET",
            root,
            Record((_required("governancePolicies", ListOf(_GOVERNANCE_POLICY)),)),
        ),
        Operation(
            "listGovernancePolicyProjects",
            "GET",
            f"{root}/{{policyId}}/projects",
            Record((_required("projects", ListOf(_NAMED)), _required("total", _WHOLE))),
            query=_PAGING,
        ),
        Operation(
            "assignProjectsToGovernancePolicy",
            "POST",
            f"{root}/{{policyId}}/assign",
            Record(
                (
                    _required("governancePolicy", _NAMED),
                    _required("assignedProjectIds", _TEXTS),
                    _required("notFoundProjectIds", _TEXTS),
                    _required("count", _WHOLE),
                )
            ),
            body=_PROJECT_IDS_BODY,
        ),
        Operation(
            "unassignProjectsFromGovernancePolicy",
            "POST",
            f"{root}/{{policyId}}/unassign",
            Record(
                (
                    _required("governancePolicy", _NAMED),
                    _required("unassignedProjectIds", _TEXTS),
                    _required("skippedProjectIds", _TEXTS),
                    _required("count", _WHOLE),
                )
            ),
            body=_PROJECT_IDS_BODY,
        ),
    )


_ORGANIZATION_ROOT = "/v1/organization"
_PROJECT_ROOT = "/v1/projects/{projectId}"

# The contract spells "Organization" out in the names of the key operations only.
OPERATIONS: Final[tuple[Operation, ...]] = (
    *_organization(),
    *_api_keys("Organization", _ORGANIZATION_ROOT),
    *_members("", _ORGANIZATION_ROOT, "organizationRole"),
    *_invitations("", _ORGANIZATION_ROOT, "organizationRoleId"),
    *_roles("", _ORGANIZATION_ROOT, "organizationId"),
    *_policies("", _ORGANIZATION_ROOT),
    *_permissions("", _ORGANIZATION_ROOT),
    *_governance_policies(),
    *_projects(),
    *_api_keys("Project", _PROJECT_ROOT),
    *_members("Project", _PROJECT_ROOT, "projectRole"),
    *_invitations("Project", _PROJECT_ROOT, "projectRoleId"),
    *_roles("Project", _PROJECT_ROOT, "projectId"),
    *_policies("Project", _PROJECT_ROOT),
    *_permissions("Project", _PROJECT_ROOT),
)

BY_NAME: Final[dict[str, Operation]] = {operation.name: operation for operation in OPERATIONS}
