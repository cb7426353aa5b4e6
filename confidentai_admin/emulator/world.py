"""The state of the emulated organization: plain records, and the one `World` that holds them all."""

from datetime import datetime
from typing import Literal, TypeAlias

import attrs

from .clock import Clock
from .ids import Ids
from .key_mask import KeyMask
from .refusal import UNKNOWN_ID, Refused

ScopeKind: TypeAlias = Literal["organization", "project"]


@attrs.define
class User:
    """A person with an account; what they may do where is in the scopes' `members`."""

    id: str
    email: str
    name: str | None = None
    image: str | None = None


@attrs.define
class Permission:
    """Something that can be allowed."""

    id: str
    name: str
    description: str


@attrs.define
class Policy:
    """A named set of permissions; a built-in one belongs to a system role and is not listed."""

    id: str
    name: str
    description: str | None
    permission_ids: list[str]
    built_in: bool = False


@attrs.define
class Role:
    """A named set of policies."""

    id: str
    name: str
    description: str | None
    policy_ids: list[str]
    system: bool = False


@attrs.define
class ApiKey:
    """A key, with its value in full; what answers show of it is decided elsewhere."""

    id: int
    name: str
    value: str = attrs.field(repr=False)
    created_at: datetime
    valid: bool = True
    last_used: datetime | None = None


@attrs.define
class Invitation:
    """An invitation that was not accepted (accepting one turns it into a membership)."""

    id: int
    email: str
    role_id: str | None
    created_at: datetime
    status: Literal["PENDING", "DECLINED"] = "PENDING"


@attrs.define
class Scope:
    """What an organization and a project have alike: people, their roles, and keys."""

    kind: ScopeKind
    id: str
    permissions: dict[str, Permission] = attrs.Factory(dict)
    policies: dict[str, Policy] = attrs.Factory(dict)
    roles: dict[str, Role] = attrs.Factory(dict)
    api_keys: dict[int, ApiKey] = attrs.Factory(dict)
    members: dict[str, str | None] = attrs.Factory(dict)
    """The role id, or None for no role, of each member by user id."""
    invitations: dict[int, Invitation] = attrs.Factory(dict)

    def system_role(self, name: str) -> Role:
        """Find one of the roles that every scope of this kind has."""
        return next(role for role in self.roles.values() if role.system and role.name == name)

    def owner_id(self) -> str | None:
        """Give the user id of the Owner, if there is one."""
        owner_role = self.system_role("Owner").id
        return next((user_id for user_id, role_id in self.members.items() if role_id == owner_role), None)


@attrs.define
class Project:
    """A project and all that is in it."""

    id: str
    name: str
    description: str | None
    created_at: datetime
    scope: Scope
    governance_policy_id: str | None = None


@attrs.define
class GovernanceControl:
    """One control of a governance policy."""

    id: str
    name: str
    type: str


@attrs.define
class GovernancePolicy:
    """A set of controls that projects can be put under; which ones is noted on the projects."""

    id: str
    name: str
    description: str | None
    controls: list[GovernanceControl]


@attrs.define
class World:
    """One organization with everything in it."""

    id: str
    name: str
    plan: str
    created_at: datetime
    scope: Scope
    ids: Ids = attrs.field(eq=False, repr=False)
    clock: Clock = attrs.field(eq=False, repr=False)
    key_mask: KeyMask = attrs.field(eq=False, repr=False)
    keys_by_value: dict[str, tuple[Scope, ApiKey]] = attrs.field(factory=dict, eq=False, repr=False)
    """All API keys that ever were, by their values; whether one is still there, its scope says."""
    users: dict[str, User] = attrs.Factory(dict)
    projects: dict[str, Project] = attrs.Factory(dict)
    governance_policies: dict[str, GovernancePolicy] = attrs.Factory(dict)

    def project(self, project_id: str) -> Project:
        """Find a project, or refuse."""
        if project_id not in self.projects:
            raise Refused(UNKNOWN_ID, "There is no project with this id.")
        return self.projects[project_id]

    def scopes(self) -> list[Scope]:
        """Give the organization's scope and each project's."""
        return [self.scope, *(project.scope for project in self.projects.values())]

    def has(self, scope: Scope) -> bool:
        """Whether a scope is the organization's or that of a project that is still there."""
        return scope is self.scope or (scope.id in self.projects and self.projects[scope.id].scope is scope)

    def user_by_email(self, email: str) -> User | None:
        """Find a user; addresses are compared without case."""
        return next((user for user in self.users.values() if same_email(user.email, email)), None)


def same_email(one: str, other: str) -> bool:
    """Whether two addresses are the same but for case."""
    return one.casefold() == other.casefold()
