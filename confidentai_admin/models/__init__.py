"""What the API speaks of: frozen values with no client behind them."""

from __future__ import annotations

from .api_key import ApiKey, RotatedKey
from .deletion import DeletionResult, RemovalResult
from .governance import (
    GovernanceControl,
    GovernanceControlType,
    GovernancePolicy,
    GovernancePolicyAssignmentResult,
    GovernancePolicyUnassignmentResult,
)
from .holding import Holding, HoldingKind
from .invitation import Invitation, InvitationStatus, OrganizationInvitation, ProjectInvitation
from .member import Member, OrganizationMember, ProjectMember
from .named_ref import NamedRef
from .onboarding import Onboarding
from .organization import Organization, Plan
from .page import Page
from .permission import Permission
from .policy import Policy
from .project import CreatedProject, DesiredProject, EnsuredProject, Project
from .report import Happened, Outcome, Progress, Report
from .role import OrganizationRole, ProjectRole, Role

__all__ = [
    "ApiKey",
    "CreatedProject",
    "DeletionResult",
    "DesiredProject",
    "EnsuredProject",
    "GovernanceControl",
    "GovernanceControlType",
    "GovernancePolicy",
    "GovernancePolicyAssignmentResult",
    "GovernancePolicyUnassignmentResult",
    "Happened",
    "Holding",
    "HoldingKind",
    "Invitation",
    "InvitationStatus",
    "Member",
    "NamedRef",
    "Onboarding",
    "Organization",
    "OrganizationInvitation",
    "OrganizationMember",
    "OrganizationRole",
    "Outcome",
    "Page",
    "Permission",
    "Plan",
    "Policy",
    "Progress",
    "Project",
    "ProjectInvitation",
    "ProjectMember",
    "ProjectRole",
    "RemovalResult",
    "Report",
    "Role",
    "RotatedKey",
]
