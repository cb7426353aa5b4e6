"""Answers with every field that the contract has, and the models that they must become."""

from __future__ import annotations

import datetime

from confidentai_admin import (
    ApiKey,
    GovernanceControl,
    GovernanceControlType,
    GovernancePolicy,
    InvitationStatus,
    NamedRef,
    Organization,
    OrganizationInvitation,
    OrganizationMember,
    OrganizationRole,
    Permission,
    Plan,
    Policy,
    Project,
    ProjectInvitation,
    ProjectMember,
    ProjectRole,
)

#: Ids with all that must not reach a path as it is, and their form there.
PROJECT_ID, PROJECT_SEGMENT = "prj/1 ä?#%", "prj%2F1%20%C3%A4%3F%23%25"
USER_ID, USER_SEGMENT = "usr/../2&x=;y", "usr%2F..%2F2%26x%3D%3By"
ROLE_ID, ROLE_SEGMENT = "3f0e/role+é", "3f0e%2Frole%2B%C3%A9"
POLICY_ID, POLICY_SEGMENT = "7a1c policy:ü", "7a1c%20policy%3A%C3%BC"
API_KEY_ID = 4711
INVITATION_ID = 815

CREATED = "2026-03-04T05:06:07.089Z"
CREATED_AT = datetime.datetime(2026, 3, 4, 5, 6, 7, 89000, tzinfo=datetime.UTC)
USED = "2026-11-12T23:59:59.999Z"
USED_AT = datetime.datetime(2026, 11, 12, 23, 59, 59, 999000, tzinfo=datetime.UTC)

#: Not a key of anybody: one letter, as often as a real one has characters.
FULL_KEY = "confident_us_proj_" + "q" * 43
MASKED_KEY = "*" * 15 + FULL_KEY[-6:]

ORGANIZATION_JSON = {"id": "org-1", "name": "Acme Inc.", "plan": "TEAM", "created_at": CREATED}
ORGANIZATION = Organization("org-1", "Acme Inc.", Plan.TEAM, CREATED_AT)

PROJECT_JSON = {
    "id": PROJECT_ID,
    "name": "Checkout",
    "description": "Takes the money",
    "organizationId": "org-1",
    "created_at": CREATED,
    "governancePolicy": {"id": "gov-1", "name": "Baseline"},
}
PROJECT = Project(PROJECT_ID, "Checkout", "Takes the money", "org-1", CREATED_AT, NamedRef("gov-1", "Baseline"))

#: Only what the contract requires.
BARE_PROJECT_JSON = {"id": "prj-2", "name": "Bare"}
BARE_PROJECT = Project("prj-2", "Bare", None, None, None, None)

NEW_KEY_JSON = {
    "id": API_KEY_ID,
    "name": "CI",
    "valid": True,
    "value": FULL_KEY,
    "created_at": CREATED,
    "lastUsed": None,
}
NEW_KEY = ApiKey(API_KEY_ID, name="CI", valid=True, value=FULL_KEY, created_at=CREATED_AT, last_used=None)
USED_KEY_JSON = {**NEW_KEY_JSON, "valid": False, "value": MASKED_KEY, "lastUsed": USED}
USED_KEY = ApiKey(API_KEY_ID, name="CI", valid=False, value=MASKED_KEY, created_at=CREATED_AT, last_used=USED_AT)
BARE_KEY_JSON = {"id": 1, "valid": True, "value": MASKED_KEY, "created_at": CREATED}
BARE_KEY = ApiKey(1, name=None, valid=True, value=MASKED_KEY, created_at=CREATED_AT, last_used=None)

_PERSON_JSON = {"id": USER_ID, "email": "mia@acme.example", "name": "Mia", "image": "https://acme.example/mia.png"}
ORGANIZATION_MEMBER_JSON = {**_PERSON_JSON, "organizationRole": {"id": ROLE_ID, "name": "Auditor"}}
ORGANIZATION_MEMBER = OrganizationMember(
    USER_ID, "mia@acme.example", "Mia", "https://acme.example/mia.png", NamedRef(ROLE_ID, "Auditor")
)
PROJECT_MEMBER_JSON = {**_PERSON_JSON, "projectRole": {"id": ROLE_ID, "name": "Tester"}}
PROJECT_MEMBER = ProjectMember(
    USER_ID, "mia@acme.example", "Mia", "https://acme.example/mia.png", NamedRef(ROLE_ID, "Tester")
)
BARE_MEMBER_JSON = {"id": "usr-3", "email": "max@acme.example"}
BARE_ORGANIZATION_MEMBER = OrganizationMember("usr-3", "max@acme.example", None, None, None)
BARE_PROJECT_MEMBER = ProjectMember("usr-3", "max@acme.example", None, None, None)

_INVITATION_JSON = {"id": INVITATION_ID, "email": "new@acme.example", "status": "PENDING", "created_at": CREATED}
ORGANIZATION_INVITATION_JSON = {**_INVITATION_JSON, "organizationRoleId": ROLE_ID}
ORGANIZATION_INVITATION = OrganizationInvitation(
    INVITATION_ID, "new@acme.example", InvitationStatus.PENDING, CREATED_AT, ROLE_ID
)
PROJECT_INVITATION_JSON = {**_INVITATION_JSON, "projectRoleId": ROLE_ID}
PROJECT_INVITATION = ProjectInvitation(INVITATION_ID, "new@acme.example", InvitationStatus.PENDING, CREATED_AT, ROLE_ID)
BARE_INVITATION_JSON = {**_INVITATION_JSON, "status": "DECLINED"}
BARE_ORGANIZATION_INVITATION = OrganizationInvitation(
    INVITATION_ID, "new@acme.example", InvitationStatus.DECLINED, CREATED_AT, None
)
BARE_PROJECT_INVITATION = ProjectInvitation(
    INVITATION_ID, "new@acme.example", InvitationStatus.DECLINED, CREATED_AT, None
)

PERMISSIONS_JSON = [
    {"id": "perm-1", "name": "prompt:read", "description": "Reads prompts."},
    {"id": "perm-2", "name": "prompt:update"},
]
PERMISSIONS = [Permission("perm-1", "prompt:read", "Reads prompts."), Permission("perm-2", "prompt:update", None)]

POLICY_JSON = {
    "id": POLICY_ID,
    "name": "Prompts",
    "description": "All of prompts",
    "permissions": [{"id": "perm-1", "name": "prompt:read"}, {"id": "perm-2", "name": "prompt:update"}],
}
POLICY = Policy(
    POLICY_ID,
    "Prompts",
    "All of prompts",
    [NamedRef("perm-1", "prompt:read"), NamedRef("perm-2", "prompt:update")],
)
BARE_POLICY_JSON = {"id": "pol-2", "name": "Bare"}
BARE_POLICY = Policy("pol-2", "Bare", None, None)

_ROLE_JSON = {
    "id": ROLE_ID,
    "name": "Auditor",
    "description": "Looks at everything",
    "policies": [{"id": POLICY_ID, "name": "Prompts"}],
}
ORGANIZATION_ROLE_JSON = {**_ROLE_JSON, "organizationId": "org-1"}
ORGANIZATION_ROLE = OrganizationRole(
    ROLE_ID, "Auditor", "Looks at everything", "org-1", [NamedRef(POLICY_ID, "Prompts")]
)
PROJECT_ROLE_JSON = {**_ROLE_JSON, "projectId": PROJECT_ID}
PROJECT_ROLE = ProjectRole(ROLE_ID, "Auditor", "Looks at everything", PROJECT_ID, [NamedRef(POLICY_ID, "Prompts")])
BARE_ROLE_JSON = {"id": "rol-2", "name": "Owner"}
BARE_ORGANIZATION_ROLE = OrganizationRole("rol-2", "Owner", None, None, None)
BARE_PROJECT_ROLE = ProjectRole("rol-2", "Owner", None, None, None)

GOVERNANCE_POLICIES_JSON = [
    {
        "id": POLICY_ID,
        "name": "Baseline",
        "description": "What every project must have",
        "projectsCount": 2,
        "controls": [
            {"id": "ctl-1", "name": "Filter", "type": "RUNTIME"},
            {"id": "ctl-2", "name": "Evals", "type": "PRE_DEPLOYMENT_EVALS"},
            {"id": "ctl-3", "name": "Attack", "type": "PRE_DEPLOYMENT_RED_TEAMING"},
            {"id": "ctl-4", "name": "Pager", "type": "OPERATIONAL"},
        ],
    },
    {"id": "gov-2", "name": "Bare", "projectsCount": 0, "controls": []},
]
GOVERNANCE_POLICIES = [
    GovernancePolicy(
        POLICY_ID,
        "Baseline",
        description="What every project must have",
        projects_count=2,
        controls=[
            GovernanceControl("ctl-1", "Filter", GovernanceControlType.RUNTIME),
            GovernanceControl("ctl-2", "Evals", GovernanceControlType.PRE_DEPLOYMENT_EVALS),
            GovernanceControl("ctl-3", "Attack", GovernanceControlType.PRE_DEPLOYMENT_RED_TEAMING),
            GovernanceControl("ctl-4", "Pager", GovernanceControlType.OPERATIONAL),
        ],
    ),
    GovernancePolicy("gov-2", "Bare", description=None, projects_count=0, controls=[]),
]
