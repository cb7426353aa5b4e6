"""Members of the organization and of projects."""

from __future__ import annotations

import attrs

from .named_ref import NamedRef


@attrs.frozen
class OrganizationMember:
    """Somebody in the organization.

    Attributes:
        id: The user's id.
        email: The user's e-mail address.
        name: The user's name, or ``None``.
        image: The URL of the user's picture, or ``None``.
        organization_role: The role in the organization, or ``None`` for no role.
    """

    id: str
    email: str
    name: str | None = None
    image: str | None = None
    organization_role: NamedRef | None = None

    @property
    def role(self) -> NamedRef | None:
        """The ``organization_role``, for code that serves both scopes."""
        return self.organization_role


@attrs.frozen
class ProjectMember:
    """Somebody in a project.

    Attributes:
        id: The user's id.
        email: The user's e-mail address.
        name: The user's name, or ``None``.
        image: The URL of the user's picture, or ``None``.
        project_role: The role in the project, or ``None`` for no role.
    """

    id: str
    email: str
    name: str | None = None
    image: str | None = None
    project_role: NamedRef | None = None

    @property
    def role(self) -> NamedRef | None:
        """The ``project_role``, for code that serves both scopes."""
        return self.project_role


#: A member of either scope.
Member = OrganizationMember | ProjectMember
