"""Administer a Confident AI organization from Python.

``AsyncConfidentAI`` is for asynchronous code, ``ConfidentAI`` for scripts; both have the same tree of resources and the
same models and errors.
"""

from __future__ import annotations

from ._async.client import AsyncConfidentAI
from ._async.organization import AsyncOrganizationClient
from ._async.page_iterator import AsyncPageIterator
from ._async.projects import AsyncProjectClient
from ._call_details import CallDetails, record_calls
from ._settings import Timeout
from ._surroundings import Clock
from ._sync.client import ConfidentAI
from ._sync.organization import OrganizationClient
from ._sync.page_iterator import PageIterator
from ._sync.projects import ProjectClient
from ._version import __version__
from ._wire import NOT_GIVEN, NotGiven
from .errors import (
    APIConnectionError,
    APIDeprecationWarning,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfidentAIError,
    ConfidentApiError,
    ConfigurationError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    UnprocessableEntityError,
)
from .models import (
    ApiKey,
    CreatedProject,
    DeletionResult,
    GovernanceControl,
    GovernanceControlType,
    GovernancePolicy,
    GovernancePolicyAssignmentResult,
    GovernancePolicyUnassignmentResult,
    Invitation,
    InvitationStatus,
    Member,
    NamedRef,
    Organization,
    OrganizationInvitation,
    OrganizationMember,
    OrganizationRole,
    Page,
    Permission,
    Plan,
    Policy,
    Project,
    ProjectInvitation,
    ProjectMember,
    ProjectRole,
    RemovalResult,
    Role,
)

__all__ = [
    "NOT_GIVEN",
    "APIConnectionError",
    "APIDeprecationWarning",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "ApiKey",
    "AsyncConfidentAI",
    "AsyncOrganizationClient",
    "AsyncPageIterator",
    "AsyncProjectClient",
    "AuthenticationError",
    "BadRequestError",
    "CallDetails",
    "Clock",
    "ConfidentAI",
    "ConfidentAIError",
    "ConfidentApiError",
    "ConfigurationError",
    "ConflictError",
    "CreatedProject",
    "DeletionResult",
    "GovernanceControl",
    "GovernanceControlType",
    "GovernancePolicy",
    "GovernancePolicyAssignmentResult",
    "GovernancePolicyUnassignmentResult",
    "InternalServerError",
    "Invitation",
    "InvitationStatus",
    "Member",
    "NamedRef",
    "NotFoundError",
    "NotGiven",
    "Organization",
    "OrganizationClient",
    "OrganizationInvitation",
    "OrganizationMember",
    "OrganizationRole",
    "Page",
    "PageIterator",
    "Permission",
    "PermissionDeniedError",
    "Plan",
    "Policy",
    "Project",
    "ProjectClient",
    "ProjectInvitation",
    "ProjectMember",
    "ProjectRole",
    "RateLimitError",
    "RemovalResult",
    "Role",
    "Timeout",
    "UnprocessableEntityError",
    "__version__",
    "record_calls",
]
