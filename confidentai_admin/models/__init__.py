"""What the API speaks of: frozen values with no client behind them."""

from __future__ import annotations

from .api_key import ApiKey
from .deletion import DeletionResult, RemovalResult
from .governance import (
    GovernanceControl,
    GovernanceControlType,
    GovernancePolicy,
    GovernancePolicyAssignmentResult,
    GovernancePolicyUnassignmentResult,
)
from .invitation import Invitation, InvitationStatus, OrganizationInvitation, ProjectInvitation
from .member import Member, OrganizationMember, ProjectMember
from .named_ref import NamedRef
from .organization import Organization, Plan
from .page import Page
from .permission import Permission
from .policy import Policy
from .project import CreatedProject, Project
from .role import OrganizationRole, ProjectRole, Role

__all__ = [
    "ApiKey",
    "CreatedProject",
    "DeletionResult",
    "GovernanceControl",
    "GovernanceControlType",
    "GovernancePolicy",
    "GovernancePolicyAssignmentResult",
    "GovernancePolicyUnassignmentResult",
    "Invitation",
    "InvitationStatus",
    "Member",
    "NamedRef",
    "Organization",
    "OrganizationInvitation",
    "OrganizationMember",
    "OrganizationRole",
    "Page",
    "Permission",
    "Plan",
    "Policy",
    "Project",
    "ProjectInvitation",
    "ProjectMember",
    "ProjectRole",
    "RemovalResult",
    "Role",
]
