"""The first state of the world, from the default seed or from one of the user's own.

A seed is a JSON object (or, in Python, a mapping of the same form). Things are named, never given ids; people are
named by their e-mail address. Only `members` is required, with exactly one Owner among them:

    {
      "idSeed": 7,
      "organization": {"name": "Example Ltd", "plan": "STARTER"},
      "members": [
        {"email": "owner@example.com", "name": "Olive Owner", "role": "Owner"},
        {"email": "member@example.com"},
        {"email": "guest@example.com", "role": null}
      ],
      "policies": [{"name": "Billing", "description": "The bills", "permissions": ["billing:read"]}],
      "roles": [{"name": "Accountant", "policies": ["Billing"]}],
      "apiKeys": [{"name": "CI", "createdAt": "2025-01-31T09:00:00Z", "lastUsed": "2025-03-01T00:00:00+01:00"}],
      "invitations": [{"email": "new@example.com", "role": "Accountant", "status": "DECLINED"}],
      "governancePolicies": [{"name": "Baseline", "controls": [{"name": "PII filter", "type": "RUNTIME"}]}],
      "projects": [
        {
          "name": "Chatbot",
          "description": "Answers questions",
          "governancePolicy": "Baseline",
          "members": [{"email": "member@example.com", "role": "Owner"}],
          "policies": [], "roles": [], "apiKeys": [], "invitations": []
        }
      ]
    }

`idSeed` (default 0) is what ids and key values are derived from: the same seed gives the same ones. A role that is
left out is `Member`, null is no role. Each key is one more beside the first organization key and each project's
`Default Key`, and is `valid` unless it says false. A role's `policies` and a policy's `permissions` are names.

The organization, projects, keys and invitations can have `createdAt`, and keys `lastUsed`: times of ISO 8601 with an
offset, none of them to come. What is left out is now, and for `lastUsed` never. The first organization key and a
project's `Default Key` are as old as what they are the keys of. Keys can have `expiresAt`, past or to come.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, Final

from ._contract.choices import PLANS
from ._contract.shapes import Field, ListOf, Record, Shape, Text, Truth, Whole
from ._contract.validation import check
from ._rules import api_keys, governance, invitations, projects
from ._rules.ids import Ids
from ._rules.key_mask import KeyMask
from ._rules.scopes import DEFAULT_ROLE, new_scope
from ._rules.world import Policy, Role, Scope, User, World
from .clock import Clock, moment
from .product import CONTROL
from .refusal import Refused


class SeedError(ValueError):
    """A seed that describes no possible world; the message names the place in it."""


DEFAULT_PLAN: Final = "TEAM"
FIRST_KEY_NAME: Final = "Emulator"

DEFAULT_SEED: Final[dict[str, Any]] = {
    "organization": {"name": "Acme Inc.", "plan": DEFAULT_PLAN},
    "members": [
        {"email": "olivia@acme.example", "name": "Olivia Owner", "role": "Owner"},
        {"email": "adam@acme.example", "name": "Adam Admin", "role": "Admin"},
        {"email": "mia@acme.example", "name": "Mia Member"},
        {"email": "max@acme.example", "name": "Max Member"},
    ],
    "governancePolicies": [
        {
            "name": "Baseline",
            "description": "What every project must have.",
            "controls": [
                {"name": "Personal data filter", "type": "RUNTIME"},
                {"name": "Regression tests before release", "type": "PRE_DEPLOYMENT_EVALS"},
            ],
        },
        {
            "name": "High risk",
            "description": "For projects that face customers.",
            "controls": [
                {"name": "Red teaming before release", "type": "PRE_DEPLOYMENT_RED_TEAMING"},
                {"name": "Incident contact on duty", "type": "OPERATIONAL"},
            ],
        },
    ],
}


def _optional(name: str, shape: Shape, *, nullable: bool = False) -> Field:
    return Field(name, shape, required=False, nullable=nullable)


_NAME = Field("name", Text(min_length=1))
_EMAIL = Field("email", Text(format="email"))
_ROLE = _optional("role", Text(), nullable=True)
_DESCRIPTION = _optional("description", Text(), nullable=True)
_CREATED_AT = _optional("createdAt", Text(format="moment"))
_NAMES = ListOf(Text(min_length=1))

_OF_A_SCOPE = (
    _optional("policies", ListOf(Record((_NAME, _DESCRIPTION, Field("permissions", _NAMES))))),
    _optional("roles", ListOf(Record((_NAME, _DESCRIPTION, Field("policies", _NAMES))))),
    _optional(
        "apiKeys",
        ListOf(
            Record(
                (
                    _NAME,
                    _optional("valid", Truth()),
                    _CREATED_AT,
                    _optional("lastUsed", Text(format="moment"), nullable=True),
                    _optional("expiresAt", Text(format="moment"), nullable=True),
                )
            )
        ),
    ),
    _optional(
        "invitations",
        ListOf(Record((_EMAIL, _ROLE, _optional("status", Text(choices=("PENDING", "DECLINED"))), _CREATED_AT))),
    ),
)

SEED_FORM: Final = Record(
    (
        _optional("idSeed", Whole()),
        _optional(
            "organization",
            Record((_optional("name", _NAME.shape), _optional("plan", Text(choices=PLANS)), _CREATED_AT)),
        ),
        Field(
            "members",
            ListOf(
                Record(
                    (_EMAIL, _optional("name", Text(), nullable=True), _optional("image", Text(), nullable=True), _ROLE)
                ),
                min_items=1,
            ),
        ),
        *_OF_A_SCOPE,
        _optional("governancePolicies", ListOf(Record((_NAME, _DESCRIPTION, _optional("controls", ListOf(CONTROL)))))),
        _optional(
            "projects",
            ListOf(
                Record(
                    (
                        _NAME,
                        _DESCRIPTION,
                        _CREATED_AT,
                        _optional("governancePolicy", Text(), nullable=True),
                        _optional("members", ListOf(Record((_EMAIL, _ROLE)))),
                        *_OF_A_SCOPE,
                    )
                )
            ),
        ),
    )
)
"""The shape of a seed."""


def read_seed(seed: str | PathLike[str] | Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Give the seed that is meant, if it has the form of one: a file's, a copy of the mapping, or the default one."""
    if seed is None:
        return DEFAULT_SEED
    if isinstance(seed, Mapping):
        # What has the form of a seed has an end: nothing in it can hold itself.
        _check(seed)
        return {name: _copied(value) for name, value in seed.items()}
    try:
        content = json.loads(Path(seed).read_text(encoding="utf-8"))
    except OSError as error:
        raise SeedError(f"The seed file cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise SeedError(f"The seed file is not JSON: {error}.") from error
    except RecursionError:
        raise SeedError("The seed file is no JSON that can be a seed: it is nested too deeply.") from None
    if not isinstance(content, dict):
        raise SeedError("The seed must be a JSON object.")
    _check(content)
    return content


def build(seed: Mapping[str, Any], *, api_key: str | None, plan: str | None, clock: Clock, key_mask: KeyMask) -> World:
    """Make the world that a seed describes, as `read_seed` gives it. A plan given here is taken instead of its own."""
    ids = Ids(seed.get("idSeed", 0))
    about = seed.get("organization", {})
    organization_id = ids.cuid("organization")
    world = World(
        id=organization_id,
        name=about.get("name", "Acme Inc."),
        plan=plan or about.get("plan", DEFAULT_PLAN),
        created_at=_time(clock, about, "createdAt", "organization") or clock.now(),
        scope=new_scope("organization", organization_id, ids),
        ids=ids,
        clock=clock,
        key_mask=key_mask,
    )
    api_keys.add(world, world.scope, FIRST_KEY_NAME, api_key, created_at=world.created_at)
    _fill_roles(world, world.scope, seed, "")
    _add_members(world, seed["members"])
    _fill_rest(world, world.scope, seed, "")
    governance_ids: dict[str, str] = {}
    for index, policy in enumerate(seed.get("governancePolicies", ())):
        if policy["name"] in governance_ids:
            raise SeedError(f"The seed is wrong: governancePolicies[{index}].name is there twice.")
        made = governance.add(world, policy["name"], policy.get("description"), policy.get("controls", ()))
        governance_ids[made.name] = made.id
    for index, project in enumerate(seed.get("projects", ())):
        _add_project(world, project, governance_ids, f"projects[{index}]")
    return world


def _check(seed: Mapping[str, Any]) -> None:
    try:
        check(seed, SEED_FORM, "")
    except Refused as refusal:
        raise SeedError(f"The seed is wrong: {refusal.message}") from None


def _copied(value: object) -> object:
    # Any mapping or list will do in a seed, also kinds that copy.deepcopy cannot copy.
    if isinstance(value, Mapping):
        return {name: _copied(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_copied(inner) for inner in value]
    return value


def _add_members(world: World, described: Sequence[Mapping[str, Any]]) -> None:
    for index, member in enumerate(described):
        place = f"members[{index}]"
        if world.user_by_email(member["email"]) is not None:
            raise SeedError(f"The seed is wrong: {place}.email is there twice.")
        role_id = _role_id(world.scope, member, place)
        user = User(world.ids.cuid("user"), member["email"], member.get("name"), member.get("image"))
        world.users[user.id] = user
        world.scope.members[user.id] = role_id
    if _owners(world.scope) != 1:
        raise SeedError("The seed is wrong: members must have exactly one whose role is Owner.")


def _add_project(world: World, described: Mapping[str, Any], governance_ids: Mapping[str, str], place: str) -> None:
    if world.projects.named(described["name"]) is not None:
        raise SeedError(f"The seed is wrong: {place}.name is there twice.")
    created_at = _time(world.clock, described, "createdAt", place)
    project = projects.add(world, described["name"], described.get("description"), created_at=created_at)
    policy_name = described.get("governancePolicy")
    if policy_name is not None:
        if policy_name not in governance_ids:
            raise SeedError(f"The seed is wrong: {place}.governancePolicy names none of governancePolicies.")
        project.governance_policy_id = governance_ids[policy_name]
    api_keys.add(world, project.scope, api_keys.DEFAULT_KEY_NAME, created_at=project.created_at)
    _fill_roles(world, project.scope, described, f"{place}.")
    for index, member in enumerate(described.get("members", ())):
        user = world.user_by_email(member["email"])
        if user is None:
            raise SeedError(f"The seed is wrong: {place}.members[{index}].email is no member of the organization.")
        if user.id in project.scope.members:
            raise SeedError(f"The seed is wrong: {place}.members[{index}].email is there twice.")
        project.scope.members[user.id] = _role_id(project.scope, member, f"{place}.members[{index}]")
    if _owners(project.scope) > 1:
        raise SeedError(f"The seed is wrong: {place}.members has more than one Owner.")
    _fill_rest(world, project.scope, described, f"{place}.")


def _fill_roles(world: World, scope: Scope, described: Mapping[str, Any], prefix: str) -> None:
    permission_ids = {permission.name: permission.id for permission in scope.permissions.values()}
    policy_ids = {policy.name: policy.id for policy in scope.policies.values()}
    for index, policy in enumerate(described.get("policies", ())):
        place = f"{prefix}policies[{index}]"
        if policy["name"] in policy_ids:
            raise SeedError(f"The seed is wrong: {place}.name is taken.")
        contents = _ids_of(policy["permissions"], permission_ids, f"{place}.permissions")
        made = Policy(world.ids.uuid("policy"), policy["name"], policy.get("description"), contents)
        scope.policies[made.id] = made
        policy_ids[made.name] = made.id
    for index, role in enumerate(described.get("roles", ())):
        place = f"{prefix}roles[{index}]"
        if scope.roles.named(role["name"]) is not None:
            raise SeedError(f"The seed is wrong: {place}.name is taken.")
        contents = _ids_of(role["policies"], policy_ids, f"{place}.policies")
        new_role = Role(world.ids.uuid("role"), role["name"], role.get("description"), contents)
        scope.roles[new_role.id] = new_role


def _fill_rest(world: World, scope: Scope, described: Mapping[str, Any], prefix: str) -> None:
    for index, described_key in enumerate(described.get("apiKeys", ())):
        place = f"{prefix}apiKeys[{index}]"
        created_at = _time(world.clock, described_key, "createdAt", place)
        api_key = api_keys.add(world, scope, described_key["name"], created_at=created_at)
        api_key.valid = described_key.get("valid", True)
        api_key.last_used = _time(world.clock, described_key, "lastUsed", place)
        if api_key.last_used is not None and api_key.last_used < api_key.created_at:
            raise SeedError(f"The seed is wrong: {place}.lastUsed is before createdAt, which is now if it is left out.")
        expires_at = described_key.get("expiresAt")
        api_key.expires_at = None if expires_at is None else moment(expires_at)
        if api_key.expires_at is not None and api_key.expires_at <= api_key.created_at:
            raise SeedError(f"The seed is wrong: {place}.expiresAt is not after createdAt, which is now if left out.")
    for index, described_invitation in enumerate(described.get("invitations", ())):
        place = f"{prefix}invitations[{index}]"
        email = described_invitation["email"]
        user = world.user_by_email(email)
        if (user is not None and user.id in scope.members) or scope.invitation_to(email) is not None:
            raise SeedError(f"The seed is wrong: {place}.email is a member or invited already.")
        # An invitation's role is null when none was named; the invitee then becomes a Member.
        role_id = _role_id(scope, {"role": None, **described_invitation}, place)
        if role_id == scope.system_role("Owner").id:
            raise SeedError(f"The seed is wrong: {place}.role must not be Owner.")
        created_at = _time(world.clock, described_invitation, "createdAt", place)
        invitation = invitations.add(world, scope, email, role_id, created_at=created_at)
        invitation.status = described_invitation.get("status", "PENDING")


def _time(clock: Clock, described: Mapping[str, Any], field: str, place: str) -> datetime | None:
    text = described.get(field)
    time = None if text is None else moment(text)
    if time is not None and time > clock.now():
        raise SeedError(f"The seed is wrong: {place}.{field} is in the future.")
    return time


def _role_id(scope: Scope, described: Mapping[str, Any], place: str) -> str | None:
    name = described.get("role", DEFAULT_ROLE)
    if name is None:
        return None
    role = scope.roles.named(name)
    if role is None:
        raise SeedError(f"The seed is wrong: {place}.role is not the name of a role of this {scope.kind}.")
    return role.id


def _ids_of(names: Sequence[str], known: Mapping[str, str], place: str) -> list[str]:
    for index, name in enumerate(names):
        if name not in known:
            raise SeedError(f"The seed is wrong: {place}[{index}] is not known there.")
    return [known[name] for name in dict.fromkeys(names)]


def _owners(scope: Scope) -> int:
    return len(scope.members.with_role(scope.system_role("Owner").id))
