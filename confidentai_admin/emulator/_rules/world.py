"""The state of the emulated organization: plain records, and the one `World` that holds them all."""

import copy
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import attrs

from ..clock import Clock
from ..refusal import UNKNOWN_ID, Refused
from .ids import Ids
from .key_mask import KeyMask
from .tables import Members, Table

ScopeKind: TypeAlias = Literal["organization", "project"]

#: What becomes of a key that is rotated while a rotation of it runs: the new replacement takes the place of the one
#: before it, or the call is refused, or the oldest value ends at once and the one before it has the grace period.
SecondRotation: TypeAlias = Literal["supersede", "refuse", "old-dies"]


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
    expires_at: datetime | None = None
    replacement: str | None = attrs.field(default=None, repr=False)
    """While it is rotated, the value that comes after `value`; both are good until `rotates_at`."""
    rotates_at: datetime | None = None

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over; `valid` says nothing about that."""
        return self.expires_at is not None and self.expires_at <= now

    def is_rotated(self, now: datetime) -> bool:
        """Whether its rotation is due, though the replacement may not have taken its place yet."""
        return self.rotates_at is not None and self.rotates_at <= now

    def has(self, value: str, now: datetime) -> bool:
        """Whether this is a value of it, and one that was not rotated out."""
        return value == self.replacement or (value == self.value and not self.is_rotated(now))


@attrs.define
class Invitation:
    """An invitation; accepting one turns it into a membership."""

    id: int
    email: str
    role_id: str | None
    created_at: datetime
    token: str = attrs.field(repr=False)
    status: Literal["PENDING", "DECLINED", "ACCEPTED"] = "PENDING"


@attrs.define
class Scope:
    """What an organization and a project have alike: people, their roles, and keys."""

    kind: ScopeKind
    id: str
    permissions: dict[str, Permission] = attrs.Factory(dict)
    policies: Table[str, Policy] = attrs.Factory(lambda: Table(_name))
    roles: Table[str, Role] = attrs.Factory(lambda: Table(_name))
    api_keys: dict[int, ApiKey] = attrs.Factory(dict)
    members: Members = attrs.Factory(Members)
    invitations: Table[int, Invitation] = attrs.Factory(lambda: Table(_address))
    accepted: dict[int, Invitation] = attrs.Factory(dict)
    """The invitations that were accepted, which are listed nowhere; those of `invitations` were not."""

    def copied(self) -> "Scope":
        """Give a copy that keeps what is in it now; permissions are never changed, and shared."""
        return copy.deepcopy(self, {id(self.permissions): self.permissions})

    def as_it_began(self) -> "Scope":
        """Give a copy with nothing in it but what every scope of this kind has."""
        began = Scope(self.kind, self.id, self.permissions)
        began.policies.update((each.id, each) for each in self.policies.values() if each.built_in)
        began.roles.update((each.id, each) for each in self.roles.values() if each.system)
        return began

    def system_role(self, name: str) -> Role:
        """Find one of the roles that every scope of this kind has."""
        role = self.roles.named(name)
        assert role is not None  # noqa: S101 - no other can take its name
        return role

    def owner_id(self) -> str | None:
        """Give the user id of the Owner, if there is one."""
        return next(iter(self.members.with_role(self.system_role("Owner").id)), None)

    def invitation_to(self, email: str) -> Invitation | None:
        """Find the invitation of somebody, pending or declined; addresses are compared without case."""
        return self.invitations.named(folded(email))


@attrs.define
class Project:
    """A project and all that is in it."""

    id: str
    name: str
    description: str | None
    created_at: datetime
    scope: Scope
    governance_policy_id: str | None = None
    verdict: bool | None = None
    """Whether the deployment gate lets it pass; None where there is no data."""


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
    inviting_scopes: dict[int, Scope] = attrs.field(factory=dict, eq=False, repr=False)
    """The scopes of all invitations that ever were, by their ids; whether one is still there, its scope says."""
    late_by: timedelta = attrs.field(default=timedelta(0), eq=False, repr=False)
    """How long ago what is being carried out was due."""
    project_limit: int | None = attrs.field(default=None, eq=False, repr=False)
    """How many projects the plan allows; None for any number."""
    second_rotation: SecondRotation = attrs.field(default="supersede", eq=False, repr=False)
    users: Table[str, User] = attrs.Factory(lambda: Table(_address))
    projects: Table[str, Project] = attrs.Factory(lambda: Table(_name))
    governance_policies: Table[str, GovernancePolicy] = attrs.Factory(lambda: Table(_name))

    def now(self) -> datetime:
        """Give the moment of what is being carried out."""
        return self.clock.now() - self.late_by

    def project(self, project_id: str) -> Project:
        """Find a project, or refuse."""
        if project_id not in self.projects:
            raise Refused(UNKNOWN_ID, "There is no project with this id.")
        return self.projects[project_id]

    def scope_of(self, project_id: str | None) -> Scope:
        """Find the scope of a project, or the organization's for None; or refuse."""
        return self.scope if project_id is None else self.project(project_id).scope

    def scopes(self) -> list[Scope]:
        """Give the organization's scope and each project's."""
        return [self.scope, *(project.scope for project in self.projects.values())]

    def has(self, scope: Scope) -> bool:
        """Whether a scope is the organization's or that of a project that is still there."""
        return scope is self.scope or (scope.id in self.projects and self.projects[scope.id].scope is scope)

    def user_by_email(self, email: str) -> User | None:
        """Find a user; addresses are compared without case."""
        return self.users.named(folded(email))


def folded(email: str) -> str:
    """Give an address as it is compared: without case."""
    return email.casefold()


def _name(record: Policy | Role | Project | GovernancePolicy) -> str:
    return record.name


def _address(person: User | Invitation) -> str:
    return folded(person.email)
