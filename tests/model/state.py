"""The state of an organization as plain values: what the model changes, and what is read from the server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from confidentai_admin.emulator import Emulator

#: A project's id, or None for the organization.
Where = str | None


@attrs.frozen
class Key:
    name: str
    valid: bool
    value: str = attrs.field(repr=False)


@attrs.frozen
class Invitation:
    email: str
    status: str
    role: str | None


@attrs.frozen
class Policy:
    name: str
    description: str | None
    permissions: tuple[str, ...]


@attrs.frozen
class Role:
    name: str
    description: str | None
    policies: tuple[str, ...]
    is_system: bool = False


@attrs.frozen
class Person:
    email: str
    name: str | None


@attrs.frozen
class Project:
    name: str
    description: str | None
    governance: str | None


@attrs.define
class Scope:
    """An organization or a project, without its name. Everything is under its id."""

    keys: dict[int, Key] = attrs.Factory(dict)
    members: dict[str, str | None] = attrs.Factory(dict)
    invitations: dict[int, Invitation] = attrs.Factory(dict)
    policies: dict[str, Policy] = attrs.Factory(dict)
    roles: dict[str, Role] = attrs.Factory(dict)
    # What no call changes, and no comparison looks at:
    permissions: dict[str, str] = attrs.field(factory=dict, eq=False, repr=False)
    hidden_policies: dict[str, str] = attrs.field(factory=dict, eq=False, repr=False)

    def copy(self) -> Scope:
        return Scope(
            dict(self.keys),
            dict(self.members),
            dict(self.invitations),
            dict(self.policies),
            dict(self.roles),
            self.permissions,
            self.hidden_policies,
        )

    def role_named(self, name: str) -> str:
        return next(role_id for role_id, role in self.roles.items() if role.is_system and role.name == name)

    @property
    def owner(self) -> str | None:
        wanted = self.role_named("Owner")
        return next((person for person, role_id in self.members.items() if role_id == wanted), None)


@attrs.define
class State:
    """One organization."""

    id: str
    name: str
    plan: str
    people: dict[str, Person] = attrs.field(repr=False)
    governance: dict[str, str] = attrs.field(repr=False)
    projects: dict[str, Project] = attrs.Factory(dict)
    scopes: dict[Where, Scope] = attrs.Factory(dict)

    def copy(self) -> State:
        """A copy that can be changed."""
        scopes = {where: scope.copy() for where, scope in self.scopes.items()}
        return State(self.id, self.name, self.plan, self.people, self.governance, dict(self.projects), scopes)

    @property
    def secrets(self) -> set[str]:
        return {key.value for scope in self.scopes.values() for key in scope.keys.values()}

    def under(self, governance_id: str) -> list[str]:
        """The projects on a governance policy."""
        return [project_id for project_id, project in self.projects.items() if project.governance == governance_id]


def differences(one: State, other: State) -> str:
    """What is not alike in two states, for a message."""
    first, second = attrs.asdict(one), attrs.asdict(other)
    return "; ".join(_differences(first, second, "state")) or "none"


def _differences(one: Any, other: Any, place: str) -> Iterable[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in [*one, *(name for name in other if name not in one)]:
            if name in ("permissions", "hidden_policies") and "roles" in one:
                continue
            missing = "nothing"
            yield from _differences(one.get(name, missing), other.get(name, missing), f"{place}.{name}")
    elif one != other:
        yield f"{place}: {one!r} -> {other!r}"


def look(emulator: Emulator) -> State:
    """The state as it is, with what is late and due, read past the client and past all faults."""
    emulator._app.catch_up()
    with emulator._app._lock:
        world = emulator._app._world
        projects = {
            project.id: Project(project.name, project.description, project.governance_policy_id)
            for project in world.projects.values()
        }
        state = State(
            world.id,
            world.name,
            world.plan,
            {user.id: Person(user.email, user.name) for user in world.users.values()},
            {policy.id: policy.name for policy in world.governance_policies.values()},
            projects,
        )
        places: list[tuple[Where, Any]] = [(None, world.scope)]
        places += [(project.id, project.scope) for project in world.projects.values()]
        for where, scope in places:
            state.scopes[where] = Scope(
                {key.id: Key(key.name, key.valid, key.value) for key in scope.api_keys.values()},
                dict(scope.members),
                {each.id: Invitation(each.email, each.status, each.role_id) for each in scope.invitations.values()},
                {
                    policy.id: Policy(policy.name, policy.description, tuple(policy.permission_ids))
                    for policy in scope.policies.values()
                    if not policy.built_in
                },
                {
                    role.id: Role(role.name, role.description, tuple(role.policy_ids), role.system)
                    for role in scope.roles.values()
                },
                {permission.id: permission.name for permission in scope.permissions.values()},
                {policy.id: policy.name for policy in scope.policies.values() if policy.built_in},
            )
    return state


#: What an emulator begins with, so that there is something of every kind to ask for and to change.
SEED: dict[str, Any] = {
    "organization": {"name": "Acme", "plan": "TEAM"},
    "members": [
        {"email": "olivia@acme.example", "name": "Olivia", "role": "Owner"},
        {"email": "adam@acme.example", "name": "Adam", "role": "Admin"},
        {"email": "mia@acme.example"},
        {"email": "max@acme.example", "name": "Max", "role": "Accountant"},
        {"email": "gus@acme.example", "role": None},
    ],
    "policies": [
        {"name": "Billing", "permissions": ["billing:read"]},
        {"name": "Reading", "description": "Look only", "permissions": ["project:read", "organization:read"]},
        {"name": "Unused", "permissions": []},
    ],
    "roles": [
        {"name": "Accountant", "policies": ["Billing"]},
        {"name": "Auditor", "description": "Looks", "policies": ["Reading", "Billing"]},
        {"name": "Idle", "policies": []},
    ],
    "apiKeys": [{"name": "CI"}, {"name": "Old", "valid": False}],
    "invitations": [
        {"email": "ann@acme.example", "role": "Auditor"},
        {"email": "bob@acme.example", "role": "Idle", "status": "DECLINED"},
        {"email": "cid@acme.example"},
    ],
    "governancePolicies": [{"name": "Baseline"}, {"name": "High risk"}, {"name": "Nobody's"}],
    "projects": [
        {
            "name": "Chatbot",
            "description": "Answers",
            "governancePolicy": "Baseline",
            "members": [
                {"email": "mia@acme.example", "role": "Owner"},
                {"email": "max@acme.example", "role": "Tester"},
                {"email": "gus@acme.example"},
            ],
            "policies": [{"name": "Look", "permissions": ["dataset:read"]}, {"name": "Unused", "permissions": []}],
            "roles": [{"name": "Tester", "policies": ["Look"]}, {"name": "Spare", "policies": []}],
            "apiKeys": [{"name": "Deploy"}],
            "invitations": [
                {"email": "dan@acme.example", "role": "Tester"},
                {"email": "eve@acme.example", "status": "DECLINED"},
            ],
        },
        {"name": "Search", "governancePolicy": "Baseline"},
        {"name": "Shop", "governancePolicy": "Baseline", "members": [{"email": "olivia@acme.example"}]},
    ],
}
