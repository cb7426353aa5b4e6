"""What happens in the product and not through the API: each verb of `POST /_emulator/<verb>`.

`VERBS` says which there are and what body each takes. `Emulator`'s methods of the same names do the same.
`OWN_VERBS` are those of the emulator itself: they do not change a world, but make a new one or move the clock.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from ._contract.choices import CONTROL_TYPES, PLANS
from ._contract.shapes import Field, ListOf, Record, Seconds, Shape, Text, Truth, Whole
from ._rules import governance, members
from ._rules.members import Membership
from ._rules.scopes import DEFAULT_ROLE
from ._rules.world import GovernancePolicy, Invitation, Project, Scope, User, World
from .refusal import (
    ALREADY_MEMBER,
    ALREADY_OWNED,
    GOVERNANCE_POLICY_NAME_TAKEN,
    NOT_PENDING,
    UNKNOWN_ID,
    UNKNOWN_ROLE_NAME,
    Refused,
)


@attrs.frozen
class Verb:
    """One thing that can happen in the product: its name in the path, its body, and what it does to the world."""

    name: str
    body: Record
    work: Callable[[World, Mapping[str, Any]], Any]


def accept_invitation(world: World, body: Mapping[str, Any]) -> Membership:
    """Let an invitee accept: a member of the organization from now on, and of the project if it invited."""
    scope, invitation = _pending(world, body["invitationId"])
    user = world.user_by_email(invitation.email) or _new_user(world, invitation.email, body.get("name"))
    if user.id in scope.members:
        # One that was accepted before, and sent again since, changes nothing for the member.
        role_id = scope.members[user.id]
    else:
        role_id = invitation.role_id or scope.system_role(DEFAULT_ROLE).id
    # Whoever joins a scope has no pending invitation to it left.
    members.join(world, scope, user.id, role_id)
    invitation.status = "ACCEPTED"
    scope.accepted[invitation.id] = invitation
    if user.id not in world.scope.members:
        members.join(world, world.scope, user.id, world.scope.system_role(DEFAULT_ROLE).id)
    return Membership(scope, user.id)


def decline_invitation(world: World, body: Mapping[str, Any]) -> tuple[Scope, Invitation]:
    """Let an invitee decline."""
    scope, invitation = _pending(world, body["invitationId"])
    invitation.status = "DECLINED"
    return scope, invitation


def add_member(world: World, body: Mapping[str, Any]) -> Membership:
    """Add somebody to the organization, to a project of it, or to both at once."""
    email: str = body["email"]
    project = world.project(body["projectId"]) if "projectId" in body else None
    user = world.user_by_email(email)
    joins_organization = user is None or user.id not in world.scope.members
    if not joins_organization and (project is None or "role" in body):
        raise Refused(ALREADY_MEMBER, "This address is a member of the organization already.")
    if project is not None and user is not None and user.id in project.scope.members:
        raise Refused(ALREADY_MEMBER, "This address is a member of the project already.")
    if project is None and "projectRole" in body:
        raise Refused(UNKNOWN_ROLE_NAME, "projectRole needs a projectId.")
    role_id = _role_by_name(world.scope, body.get("role", DEFAULT_ROLE), "role") if joins_organization else None
    project_role_id = (
        None if project is None else _role_by_name(project.scope, body.get("projectRole", DEFAULT_ROLE), "projectRole")
    )
    # Everything is known to be right; only now is anything changed.
    if user is None:
        user = _new_user(world, email, body.get("name"))
    if joins_organization:
        members.join(world, world.scope, user.id, role_id)
    if project is not None:
        members.join(world, project.scope, user.id, project_role_id)
    return Membership(world.scope if project is None else project.scope, user.id)


def create_governance_policy(world: World, body: Mapping[str, Any]) -> GovernancePolicy:
    """Make a governance policy."""
    if world.governance_policies.named(body["name"]) is not None:
        raise Refused(
            GOVERNANCE_POLICY_NAME_TAKEN, f"The organization already has a governance policy named {body['name']!r}."
        )
    return governance.add(world, body["name"], body.get("description"), body.get("controls", ()))


def change_plan(world: World, body: Mapping[str, Any]) -> World:
    """Put the organization on another plan."""
    world.plan = body["plan"]
    return world


def set_verdict(world: World, body: Mapping[str, Any]) -> Project:
    """Say what the deployment gate finds of a project from now on."""
    project = world.project(body["projectId"])
    project.verdict = body["passed"]
    return project


def _pending(world: World, invitation_id: int) -> tuple[Scope, Invitation]:
    scope = world.inviting_scopes.get(invitation_id)
    invitation = None if scope is None or not world.has(scope) else scope.invitations.get(invitation_id)
    if scope is None or invitation is None:
        raise Refused(UNKNOWN_ID, "There is no invitation with this id.")
    if invitation.status != "PENDING":
        raise Refused(NOT_PENDING, "This invitation has been declined.")
    return scope, invitation


def _new_user(world: World, email: str, name: str | None) -> User:
    user = User(world.ids.cuid("user"), email, name)
    world.users[user.id] = user
    return user


def _role_by_name(scope: Scope, name: str | None, field: str) -> str | None:
    if name is None:
        return None
    role = scope.roles.named(name)
    if role is None:
        raise Refused(UNKNOWN_ROLE_NAME, f"{field} is not the name of a role of this {scope.kind}.")
    if role is scope.system_role("Owner") and scope.owner_id() is not None:
        raise Refused(ALREADY_OWNED, f"The {scope.kind} has an Owner; ownership is transferred through the API.")
    return role.id


def _optional(name: str, shape: Shape, *, nullable: bool = False) -> Field:
    return Field(name, shape, required=False, nullable=nullable)


_INVITATION_ID: Final = Field("invitationId", Whole())

CONTROL: Final = Record((Field("name", Text(min_length=1)), Field("type", Text(choices=CONTROL_TYPES))))
"""How a governance policy's control is described, here and in a seed."""

RESET: Final = "reset"
ADVANCE: Final = "advance"

OWN_VERBS: Final[dict[str, Record]] = {RESET: Record(), ADVANCE: Record((Field("seconds", Seconds()),))}
"""The bodies of the verbs that are the emulator's own."""

VERBS: Final[tuple[Verb, ...]] = (
    Verb("accept-invitation", Record((_INVITATION_ID, _optional("name", Text(min_length=1)))), accept_invitation),
    Verb("decline-invitation", Record((_INVITATION_ID,)), decline_invitation),
    Verb(
        "add-member",
        Record(
            (
                Field("email", Text(format="email")),
                _optional("name", Text(min_length=1)),
                _optional("role", Text(), nullable=True),
                _optional("projectId", Text()),
                _optional("projectRole", Text(), nullable=True),
            )
        ),
        add_member,
    ),
    Verb(
        "create-governance-policy",
        Record(
            (
                Field("name", Text(min_length=1)),
                _optional("description", Text(), nullable=True),
                _optional("controls", ListOf(CONTROL)),
            )
        ),
        create_governance_policy,
    ),
    Verb("set-verdict", Record((Field("projectId", Text()), Field("passed", Truth(), nullable=True))), set_verdict),
    Verb("change-plan", Record((Field("plan", Text(choices=PLANS)),)), change_plan),
)
