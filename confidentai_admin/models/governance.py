"""Governance policies, their controls, and what putting projects on them did."""

from __future__ import annotations

import enum

import attrs

from .named_ref import NamedRef


class GovernanceControlType(enum.StrEnum):
    """When a control applies. Equal to its text: ``control.type == "RUNTIME"``."""

    RUNTIME = "RUNTIME"
    PRE_DEPLOYMENT_EVALS = "PRE_DEPLOYMENT_EVALS"
    PRE_DEPLOYMENT_RED_TEAMING = "PRE_DEPLOYMENT_RED_TEAMING"
    OPERATIONAL = "OPERATIONAL"


@attrs.frozen
class GovernanceControl:
    """One control of a governance policy.

    Attributes:
        id: Its id.
        name: Its name.
        type: A ``GovernanceControlType``, or the plain text of one that this version does not know.
    """

    id: str
    name: str
    type: GovernanceControlType | str


@attrs.frozen
class GovernancePolicy:
    """A governance policy of the organization. It is made in the product, not through this API.

    Attributes:
        id: Its id.
        name: Its name.
        description: Its description, or ``None``.
        projects_count: How many projects are on it.
        controls: Its controls.
        is_base_policy: Whether another policy extends it; ``None`` if the answer does not say.
    """

    id: str
    name: str
    description: str | None = attrs.field(default=None, kw_only=True)
    projects_count: int
    controls: list[GovernanceControl]
    is_base_policy: bool | None = attrs.field(default=None, kw_only=True)


@attrs.frozen
class GovernancePolicyAssignmentResult:
    """What putting projects on a governance policy did. Not finding some of them is no error: look at both lists.

    Attributes:
        governance_policy: The policy.
        assigned_project_ids: The projects that are now on it.
        not_found_project_ids: The ids under which there is no project.
        count: How many were assigned, those that were on it already included.
    """

    governance_policy: NamedRef
    assigned_project_ids: list[str]
    not_found_project_ids: list[str]
    count: int


@attrs.frozen
class GovernancePolicyUnassignmentResult:
    """What taking projects off a governance policy did. Skipping some of them is no error: look at both lists.

    Attributes:
        governance_policy: The policy.
        unassigned_project_ids: The projects that were on it and are not any more.
        skipped_project_ids: The ids that were not on it.
        count: How many were taken off.
    """

    governance_policy: NamedRef
    unassigned_project_ids: list[str]
    skipped_project_ids: list[str]
    count: int
