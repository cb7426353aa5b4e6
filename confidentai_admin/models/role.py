"""Roles: named sets of policies, given to members."""

from __future__ import annotations

import attrs

from .named_ref import NamedRef


@attrs.frozen
class OrganizationRole:
    """A role that members of the organization can have.

    Attributes:
        id: Its id.
        name: Its name, unique among the organization's roles.
        description: Its description, or ``None``.
        organization_id: The organization that made it; ``None`` for a system role (Owner, Admin, Member).
        policies: The policies in it; ``None`` if the answer does not say, which is not the same as empty.
    """

    id: str
    name: str
    description: str | None = None
    organization_id: str | None = None
    policies: list[NamedRef] | None = None


@attrs.frozen
class ProjectRole:
    """A role that members of a project can have.

    Attributes:
        id: Its id.
        name: Its name, unique among the project's roles.
        description: Its description, or ``None``.
        project_id: The project that made it; ``None`` for a system role (Owner, Manager, Member).
        policies: The policies in it; ``None`` if the answer does not say, which is not the same as empty.
    """

    id: str
    name: str
    description: str | None = None
    project_id: str | None = None
    policies: list[NamedRef] | None = None


#: A role of either scope.
Role = OrganizationRole | ProjectRole
