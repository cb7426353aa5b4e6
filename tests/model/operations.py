"""What can be asked of the server: how, what the rules refuse, what it does to the state, and what it answers.

The rules are written down here once more, apart from the emulator's, and as the API's reference has them.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import attrs

from confidentai_admin import ConfidentAI
from confidentai_admin.models import Page

from .state import Invitation, Key, Policy, Project, Role, Scope, State, Where

T = TypeVar("T")

NOWHERE = "clq0000000000000000000000"  # the form of an id, and the id of nothing
NO_UUID = "00000000-0000-4000-8000-000000000000"
NO_NUMBER = 999_999
TIME = "a time"

_LEFT_OUT = ("last_used", "lastUsed", "created_at")

#: What the first version of the API, which the model speaks, does not tell.
_OF_V2 = ("expires_at", "shadow_value", "rotates_at", "token", "is_base_policy")


class Effect(enum.Enum):
    """What doing it twice means."""

    READ = "nothing is done"
    REPEATABLE = "the same as doing it once"
    ONCE = "it is done twice"


def _nothing(_: State) -> set[int]:
    return set()


def _unchanged(before: State, _: State) -> State:
    return before


@attrs.frozen
class Operation:
    """One call, with all its arguments.

    Attributes:
        text: The call as a user writes it.
        name: The operation's name in the API.
        effect: What doing it twice means.
        send: Makes the call on a client. An iterator is walked to its end by whoever calls this.
        refusals: The statuses with which it may be refused in a state. With none it must succeed, else it must not.
        done: The state after it was done, from the state before; ids that only the server knows are looked up in the
            state that it has now. None if it cannot have been done, since nothing there can have come from it.
        answer: What a success returns, as `plain` shows it, given the states before and after.
        is_deletion: Whether a repetition that finds nothing is a success.
        is_walk: Whether it is many calls, one for each page.
        is_raw: Whether it is made by method and path, and returns JSON.
    """

    text: str
    name: str
    effect: Effect
    send: Callable[[ConfidentAI], Any] = attrs.field(repr=False)
    answer: Callable[[State, State], Any] = attrs.field(repr=False)
    refusals: Callable[[State], set[int]] = attrs.field(default=_nothing, repr=False)
    done: Callable[[State, State], State | None] = attrs.field(default=_unchanged, repr=False)
    is_deletion: bool = False
    is_walk: bool = False
    is_raw: bool = False


def plain(value: Any) -> Any:
    """A result with the types of all its parts, without its times, to be compared with what the state says."""
    if isinstance(value, Page):
        return {
            "a": "Page",
            "items": [plain(item) for item in value],
            "total": value.total,
            "page": value.page,
            "page_size": value.page_size,
            "has_next": value.has_next,
        }
    if attrs.has(type(value)):
        fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}
        created_at = fields.get("created_at")
        assert created_at is None or (isinstance(created_at, datetime.datetime) and created_at.tzinfo is not None)
        return {"a": type(value).__name__} | {
            name: plain(part)
            for name, part in fields.items()
            if name not in _LEFT_OUT and not (part is None and name in _OF_V2)
        }
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.value}"
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items() if name not in _LEFT_OUT}
    return value


# What an answer shows of the state ------------------------------------------------------------------------------------


def _named(thing_id: str, name: str) -> dict[str, Any]:
    return {"a": "NamedRef", "id": thing_id, "name": name}


def _organization(state: State) -> dict[str, Any]:
    return {"a": "Organization", "id": state.id, "name": state.name, "plan": f"Plan.{state.plan}"}


def _project(state: State, project_id: str, *, with_governance: bool) -> dict[str, Any]:
    project = state.projects[project_id]
    governance = project.governance if with_governance else None
    return {
        "a": "Project",
        "id": project_id,
        "name": project.name,
        "description": project.description,
        "organization_id": state.id,
        "governance_policy": None if governance is None else _named(governance, state.governance[governance]),
    }


def _key(scope: Scope, key_id: int, *, in_full: bool = False) -> dict[str, Any]:
    key = scope.keys[key_id]
    value = key.value if in_full else "*" * 15 + key.value[-6:]
    return {"a": "ApiKey", "id": key_id, "name": key.name, "valid": key.valid, "value": value}


def _member(state: State, where: Where, person_id: str) -> dict[str, Any]:
    person, scope = state.people[person_id], state.scopes[where]
    role_id = scope.members[person_id]
    role = None if role_id is None else _named(role_id, scope.roles[role_id].name)
    kind, field = ("Organization", "organization_role") if where is None else ("Project", "project_role")
    shown = {"id": person_id, "email": person.email, "name": person.name, "image": None, field: role}
    return {"a": f"{kind}Member", **shown}


def _invitation(state: State, where: Where, invitation_id: int) -> dict[str, Any]:
    invitation = state.scopes[where].invitations[invitation_id]
    kind, field = ("Organization", "organization_role_id") if where is None else ("Project", "project_role_id")
    return {
        "a": f"{kind}Invitation",
        "id": invitation_id,
        "email": invitation.email,
        "status": f"InvitationStatus.{invitation.status}",
        field: invitation.role,
    }


def _policy(scope: Scope, policy_id: str) -> dict[str, Any]:
    policy = scope.policies[policy_id]
    permissions = [_named(each, scope.permissions[each]) for each in policy.permissions]
    shown = {"id": policy_id, "name": policy.name, "description": policy.description, "permissions": permissions}
    return {"a": "Policy", **shown}


def _role(state: State, where: Where, role_id: str) -> dict[str, Any]:
    scope = state.scopes[where]
    role = scope.roles[role_id]
    names = scope.hidden_policies | {policy_id: policy.name for policy_id, policy in scope.policies.items()}
    kind, field = ("Organization", "organization_id") if where is None else ("Project", "project_id")
    return {
        "a": f"{kind}Role",
        "id": role_id,
        "name": role.name,
        "description": role.description,
        field: None if role.is_system else (where or state.id),
        "policies": [_named(each, names[each]) for each in role.policies],
    }


def _page(items: Sequence[Any], page: int | None, page_size: int | None) -> dict[str, Any]:
    page, page_size = page or 1, page_size or 25
    start = (page - 1) * page_size
    return {
        "a": "Page",
        "items": list(items[start : start + page_size]),
        "total": len(items),
        "page": page,
        "page_size": page_size,
        "has_next": page * page_size < len(items),
    }


def _new(before: dict[T, Any], after: dict[T, Any], **wanted: Any) -> T | None:
    """The id of something that is new and looks like this; None if there is nothing."""
    for thing_id, thing in after.items():
        if thing_id not in before and all(getattr(thing, name) == value for name, value in wanted.items()):
            return thing_id
    return None


# Choosing -------------------------------------------------------------------------------------------------------------


class Chooser:
    """Turns drawn numbers into arguments that have something to do with the state."""

    def __init__(self, state: State, numbers: Iterable[int], serial: int, own_key: str) -> None:
        self.state = state
        self.serial = serial
        self.own_key = own_key
        self._numbers = iter(numbers)

    def number(self) -> int:
        return next(self._numbers, 0)

    def one(self, *options: T) -> T:
        """One of the options; the first one for the smallest number."""
        return options[self.number() % len(options)]

    def some(self, options: Sequence[T]) -> list[T]:
        """A few of them, in order, perhaps none."""
        mask = self.number() + 1
        return [option for index, option in enumerate(options[:4]) if mask >> index & 1]

    def where(self) -> Where:
        return self.one(None, *self.state.projects, None, *self.state.projects, None, None, NOWHERE)

    def project(self) -> str:
        return self.one(*self.state.projects, *self.state.projects, NOWHERE)

    def scope(self, where: Where) -> Scope:
        """The scope; an empty one if there is none."""
        return self.state.scopes.get(where, Scope())


def _at(client: ConfidentAI, where: Where) -> Any:
    """What the scope's operations are called on."""
    return client.organization() if where is None else client.project(where)


def _text(where: Where) -> str:
    return "organization" if where is None else f"project {where[:8]}"


def _kind(where: Where) -> str:
    return "" if where is None else "Project"


def _key_kind(where: Where) -> str:
    return "Organization" if where is None else "Project"


def _in(where: Where, rule: Callable[[Scope], set[int]]) -> Callable[[State], set[int]]:
    """A rule of a scope, which nothing but a project that is not there comes before."""
    return lambda state: rule(state.scopes[where]) if where in state.scopes else {404}


def _no_rule(_: Scope) -> set[int]:
    return set()


def _listing(
    where: Where, text: str, name: str, send: Callable[[Any], Any], answer: Callable[[State], list[Any]]
) -> Operation:
    return Operation(
        f"{_text(where)}.{text}.list()",
        name,
        Effect.READ,
        lambda client: send(_at(client, where)).list(),
        lambda _, state: answer(state),
        _in(where, _no_rule),
    )


def _changed(where: Where, change: Callable[[Scope], None]) -> Callable[[State, State], State]:
    """A change within one scope."""

    def done(before: State, _: State) -> State:
        state = before.copy()
        change(state.scopes[where])
        return state

    return done


def _deleted(kind: str, thing_id: object) -> Callable[[State, State], Any]:
    word = "deleted" if kind == "DeletionResult" else "removed"
    return lambda _, __: {"a": kind, "id": thing_id, word: True}


# Projects -------------------------------------------------------------------------------------------------------------


def _project_named(state: State, name: str, but: str | None = None) -> bool:
    return any(project.name == name and project_id != but for project_id, project in state.projects.items())


def list_projects(_: Chooser) -> Operation:
    return Operation(
        "projects.list()",
        "listProjects",
        Effect.READ,
        lambda client: client.projects.list(),
        lambda _, state: [_project(state, each, with_governance=True) for each in state.projects],
    )


def get_project(chooser: Chooser) -> Operation:
    project_id = chooser.project()
    return Operation(
        f"{_text(project_id)}.get()",
        "getProject",
        Effect.READ,
        lambda client: client.project(project_id).get(),
        lambda _, state: _project(state, project_id, with_governance=True),
        _in(project_id, _no_rule),
    )


def _with_new_project(name: str, description: str | None, owner: str | None) -> Callable[[State, State], State | None]:
    def done(before: State, now: State) -> State | None:
        project_id = _new(before.projects, now.projects, name=name)
        if project_id is None:
            return None
        state, made = before.copy(), now.scopes[project_id]
        state.projects[project_id] = Project(name, description, None)
        # A new project has one key, the system's roles, and nobody in it but an Owner.
        keys = {key_id: Key("Default Key", valid=True, value=key.value) for key_id, key in made.keys.items()}
        roles = {
            role_id: attrs.evolve(role, is_system=True)
            for role_id, role in made.roles.items()
            if role.name in ("Owner", "Manager", "Member")
        }
        scope = Scope(dict(list(keys.items())[:1]), roles=roles, permissions=made.permissions)
        if owner is not None:
            scope.members[owner] = made.role_named("Owner")
        state.scopes[project_id] = scope
        return state

    return done


def create_project(chooser: Chooser) -> Operation:
    state = chooser.state
    new = f"New {chooser.serial}"
    name = chooser.one(new, new, *(project.name for project in state.projects.values()))
    description = chooser.one(None, "Made")
    members = {state.people[each].email: each for each in state.scopes[None].members}
    email = chooser.one(None, *members, "nobody@acme.example")
    owner = None if email is None else members.get(email)

    def refusals(state: State) -> set[int]:
        taken = {409} if _project_named(state, name) else set()
        return taken | ({404} if email is not None and owner not in state.scopes[None].members else set())

    def answer(before: State, after: State) -> Any:
        project_id = _new(before.projects, after.projects, name=name)
        assert project_id is not None
        (key_id,) = after.scopes[project_id].keys
        return {
            "a": "CreatedProject",
            "project": _project(after, project_id, with_governance=False),
            "api_key": _key(after.scopes[project_id], key_id, in_full=True),
        }

    return Operation(
        f"projects.create({name!r}, description={description!r}, email={email!r})",
        "createProject",
        Effect.ONCE,
        lambda client: client.projects.create(name, description=description, email=email),
        answer,
        refusals,
        _with_new_project(name, description, owner),
    )


def _project_changed(
    project_id: str, name: str | None, description: str | None
) -> tuple[Callable[[State], set[int]], Callable[[State, State], State]]:
    def refusals(state: State) -> set[int]:
        if project_id not in state.projects:
            return {404}
        return {409} if name is not None and _project_named(state, name, project_id) else set()

    def done(before: State, _: State) -> State:
        state = before.copy()
        old = state.projects[project_id]
        state.projects[project_id] = Project(
            old.name if name is None else name,
            old.description if description is None else description,
            old.governance,
        )
        return state

    return refusals, done


def update_project(chooser: Chooser) -> Operation:
    project_id = chooser.project()
    name = chooser.one(None, f"Renamed {chooser.serial}", *(each.name for each in chooser.state.projects.values()))
    description = chooser.one("Changed", f"Changed {chooser.serial}", None, "")
    refusals, done = _project_changed(project_id, name, description)
    return Operation(
        f"{_text(project_id)}.update(name={name!r}, description={description!r})",
        "updateProject",
        Effect.REPEATABLE,
        lambda client: client.project(project_id).update(name=name, description=description),
        lambda _, state: _project(state, project_id, with_governance=False),
        refusals,
        done,
    )


def _without_project(project_id: str) -> Callable[[State, State], State]:
    def done(before: State, _: State) -> State:
        state = before.copy()
        del state.projects[project_id]
        del state.scopes[project_id]
        return state

    return done


def delete_project(chooser: Chooser) -> Operation:
    project_id = chooser.project()
    return Operation(
        f"{_text(project_id)}.delete()",
        "deleteProject",
        Effect.REPEATABLE,
        lambda client: client.project(project_id).delete(),
        _deleted("DeletionResult", project_id),
        _in(project_id, _no_rule),
        _without_project(project_id),
        is_deletion=True,
    )


# API keys -------------------------------------------------------------------------------------------------------------


def _choose_key(chooser: Chooser) -> tuple[Where, int]:
    where = chooser.where()
    keys = chooser.scope(where).keys
    others = [key_id for key_id, key in keys.items() if key.value != chooser.own_key]
    own = [key_id for key_id in keys if key_id not in others]
    # The client's own key is chosen rarely: nothing works after it is gone.
    return where, chooser.one(*others, *others, NO_NUMBER, *others, *own)


def _no_key(key_id: int) -> Callable[[Scope], set[int]]:
    return lambda scope: set() if key_id in scope.keys else {404}


def list_keys(chooser: Chooser) -> Operation:
    where = chooser.where()
    return _listing(
        where,
        "api_keys",
        f"list{_key_kind(where)}ApiKeys",
        lambda at: at.api_keys,
        lambda state: [_key(state.scopes[where], each) for each in state.scopes[where].keys],
    )


def get_key(chooser: Chooser) -> Operation:
    where, key_id = _choose_key(chooser)
    return Operation(
        f"{_text(where)}.api_keys.get({key_id})",
        f"get{_key_kind(where)}ApiKey",
        Effect.READ,
        lambda client: _at(client, where).api_keys.get(key_id),
        lambda _, state: _key(state.scopes[where], key_id),
        _in(where, _no_key(key_id)),
    )


def create_key(chooser: Chooser) -> Operation:
    where = chooser.where()
    name = f"Key {chooser.serial}"

    def done(before: State, now: State) -> State | None:
        key_id = _new(before.scopes[where].keys, now.scopes[where].keys, name=name)
        if key_id is None:
            return None
        state = before.copy()
        state.scopes[where].keys[key_id] = Key(name, valid=True, value=now.scopes[where].keys[key_id].value)
        return state

    def answer(before: State, after: State) -> Any:
        key_id = _new(before.scopes[where].keys, after.scopes[where].keys, name=name)
        assert key_id is not None
        return _key(after.scopes[where], key_id, in_full=True)

    return Operation(
        f"{_text(where)}.api_keys.create({name!r})",
        f"create{_key_kind(where)}ApiKey",
        Effect.ONCE,
        lambda client: _at(client, where).api_keys.create(name),
        answer,
        _in(where, _no_rule),
        done,
    )


def update_key(chooser: Chooser) -> Operation:
    where, key_id = _choose_key(chooser)
    valid = chooser.one(False, True)

    def change(scope: Scope) -> None:
        scope.keys[key_id] = attrs.evolve(scope.keys[key_id], valid=valid)

    return Operation(
        f"{_text(where)}.api_keys.update({key_id}, valid={valid}, allow_self=True)",
        f"update{_key_kind(where)}ApiKey",
        Effect.REPEATABLE,
        lambda client: _at(client, where).api_keys.update(key_id, valid=valid, allow_self=True),
        lambda _, state: _key(state.scopes[where], key_id),
        _in(where, _no_key(key_id)),
        _changed(where, change),
    )


def delete_key(chooser: Chooser) -> Operation:
    where, key_id = _choose_key(chooser)
    return Operation(
        f"{_text(where)}.api_keys.delete({key_id}, allow_self=True)",
        f"delete{_key_kind(where)}ApiKey",
        Effect.REPEATABLE,
        lambda client: _at(client, where).api_keys.delete(key_id, allow_self=True),
        _deleted("DeletionResult", key_id),
        _in(where, _no_key(key_id)),
        _changed(where, lambda scope: scope.keys.__delitem__(key_id)),
        is_deletion=True,
    )


# Invitations ----------------------------------------------------------------------------------------------------------


def _choose_invitation(chooser: Chooser) -> tuple[Where, int]:
    where = chooser.where()
    known = chooser.scope(where).invitations
    return where, chooser.one(*known, *known, NO_NUMBER)


def list_invitations(chooser: Chooser) -> Operation:
    where = chooser.where()
    return _listing(
        where,
        "invitations",
        f"list{_kind(where)}Invitations",
        lambda at: at.invitations,
        lambda state: [_invitation(state, where, each) for each in state.scopes[where].invitations],
    )


def create_invitations(chooser: Chooser) -> Operation:
    where = chooser.where()
    scope = chooser.scope(where)
    known = [each.email for each in scope.invitations.values()]
    members = [chooser.state.people[each].email for each in scope.members]
    emails = [chooser.one(f"new{chooser.serial}@acme.example", *known, *members)]
    emails += chooser.some([f"also{chooser.serial}@acme.example", *known[:2], emails[0].upper()])
    role_id = chooser.one(None, None, *scope.roles, NO_UUID)

    def refusals(state: State) -> set[int]:
        found = {403} if state.plan == "FREE" else set()
        if where not in state.scopes:
            return found | {404}
        roles = state.scopes[where].roles
        if role_id is not None and role_id not in roles:
            found.add(404)
        elif role_id is not None and role_id == state.scopes[where].role_named("Owner"):
            found.add(400)
        return found

    def done(before: State, now: State) -> State | None:
        state = before.copy()
        scope = state.scopes[where]
        settled = {state.people[each].email.casefold() for each in scope.members}
        settled |= {each.email.casefold() for each in scope.invitations.values() if each.status == "PENDING"}
        for email in emails:
            if email.casefold() in settled:
                continue
            settled.add(email.casefold())
            made = _new(before.scopes[where].invitations, now.scopes[where].invitations, email=email)
            if made is None:
                return None
            declined = [each for each, old in scope.invitations.items() if old.email.casefold() == email.casefold()]
            for each in declined:
                del scope.invitations[each]
            scope.invitations[made] = Invitation(email, "PENDING", role_id)
        return state

    def answer(before: State, after: State) -> Any:
        old, new = before.scopes[where].invitations, after.scopes[where].invitations
        return [_invitation(after, where, each) for each in new if each not in old]

    return Operation(
        f"{_text(where)}.invitations.create({emails!r}, role_id={role_id!r})",
        f"create{_kind(where)}Invitations",
        Effect.ONCE,
        lambda client: _at(client, where).invitations.create(emails, role_id=role_id),
        answer,
        refusals,
        done,
    )


def resend_invitation(chooser: Chooser) -> Operation:
    where, invitation_id = _choose_invitation(chooser)

    def refusals(state: State) -> set[int]:
        scope = state.scopes.get(where)
        if scope is None or invitation_id not in scope.invitations:
            return {404}
        plan = {403} if state.plan == "FREE" else set()
        return plan | (set() if scope.invitations[invitation_id].status == "PENDING" else {409})

    return Operation(
        f"{_text(where)}.invitations.resend({invitation_id})",
        f"resend{_kind(where)}Invitation",
        Effect.ONCE,
        lambda client: _at(client, where).invitations.resend(invitation_id),
        lambda _, state: _invitation(state, where, invitation_id),
        refusals,
    )


def revoke_invitation(chooser: Chooser) -> Operation:
    where, invitation_id = _choose_invitation(chooser)
    return Operation(
        f"{_text(where)}.invitations.revoke({invitation_id})",
        f"delete{_kind(where)}Invitation",
        Effect.REPEATABLE,
        lambda client: _at(client, where).invitations.revoke(invitation_id),
        _deleted("DeletionResult", invitation_id),
        _in(where, lambda scope: set() if invitation_id in scope.invitations else {404}),
        _changed(where, lambda scope: scope.invitations.__delitem__(invitation_id)),
        is_deletion=True,
    )


# Members --------------------------------------------------------------------------------------------------------------


def _choose_member(chooser: Chooser) -> tuple[Where, str]:
    where = chooser.where()
    members = list(chooser.scope(where).members)
    # The Owner is the first one.
    return where, chooser.one(*members[1:], *members, NOWHERE)


def _choose_page(chooser: Chooser) -> tuple[int | None, int | None]:
    return chooser.one(None, 1, 2, 3, 40, 0), chooser.one(None, 2, 1, 100, 101)


def _page_refusals(page: int | None, page_size: int | None) -> set[int]:
    return {400} if page == 0 or page_size == 101 else set()


def list_members(chooser: Chooser) -> Operation:
    where = chooser.where()
    page, page_size = _choose_page(chooser)
    refused = _page_refusals(page, page_size)
    return Operation(
        f"{_text(where)}.members.list(page={page}, page_size={page_size})",
        f"list{_kind(where)}Members",
        Effect.READ,
        lambda client: _at(client, where).members.list(page=page, page_size=page_size),
        lambda _, state: _page([_member(state, where, each) for each in state.scopes[where].members], page, page_size),
        lambda state: refused | (set() if where in state.scopes else {404}),
    )


def walk_members(chooser: Chooser) -> Operation:
    where = chooser.one(None, *chooser.state.projects, None, None, NOWHERE)
    page_size = chooser.one(1, 2, 1, 3, 1, 100)
    return Operation(
        f"{_text(where)}.members.iter(page_size={page_size})",
        f"list{_kind(where)}Members",
        Effect.READ,
        lambda client: _at(client, where).members.iter(page_size=page_size),
        lambda _, state: [_member(state, where, each) for each in state.scopes[where].members],
        _in(where, _no_rule),
        is_walk=True,
    )


def update_member(chooser: Chooser) -> Operation:
    where, person_id = _choose_member(chooser)
    role_id = chooser.one(*chooser.scope(where).roles, NO_UUID)

    def rule(scope: Scope) -> set[int]:
        found = {404} if person_id not in scope.members or role_id not in scope.roles else set()
        is_demoted = person_id == scope.owner and role_id != scope.role_named("Owner")
        return found | ({403} if is_demoted else set())

    def change(scope: Scope) -> None:
        former = scope.owner
        if role_id == scope.role_named("Owner") and former is not None:
            scope.members[former] = scope.role_named("Admin" if where is None else "Manager")
        scope.members[person_id] = role_id

    return Operation(
        f"{_text(where)}.members.update_role({person_id[:8]}, role_id={role_id[:8]})",
        f"update{_kind(where)}MemberRole",
        Effect.REPEATABLE,
        lambda client: _at(client, where).members.update_role(person_id, role_id=role_id),
        lambda _, state: _member(state, where, person_id),
        _in(where, rule),
        _changed(where, change),
    )


def remove_member(chooser: Chooser) -> Operation:
    where, person_id = _choose_member(chooser)

    def refusals(state: State) -> set[int]:
        scope = state.scopes.get(where)
        if scope is None or person_id not in scope.members:
            return {404}
        found = {403} if person_id == scope.owner else set()
        if where is None and any(state.scopes[each].owner == person_id for each in state.projects):
            found.add(409)
        return found

    def done(before: State, _: State) -> State:
        state = before.copy()
        email = state.people[person_id].email.casefold()
        for scope in state.scopes.values() if where is None else (state.scopes[where],):
            scope.members.pop(person_id, None)
            cleared = [
                each
                for each, invitation in scope.invitations.items()
                if invitation.status == "PENDING" and invitation.email.casefold() == email
            ]
            for each in cleared:
                del scope.invitations[each]
        return state

    return Operation(
        f"{_text(where)}.members.remove({person_id[:8]})",
        f"remove{_kind(where)}Member",
        Effect.REPEATABLE,
        lambda client: _at(client, where).members.remove(person_id),
        _deleted("RemovalResult", person_id),
        refusals,
        done,
        is_deletion=True,
    )


# Roles and policies ---------------------------------------------------------------------------------------------------


def list_permissions(chooser: Chooser) -> Operation:
    where = chooser.where()

    def answer(state: State) -> list[Any]:
        return [
            {
                "a": "Permission",
                "id": each,
                "name": name,
                "description": f"Allows to {name.partition(':')[2]} {name.partition(':')[0]}.",
            }
            for each, name in state.scopes[where].permissions.items()
        ]

    return _listing(where, "iam.permissions", f"list{_kind(where)}Permissions", lambda at: at.iam.permissions, answer)


def list_policies(chooser: Chooser) -> Operation:
    where = chooser.where()
    return _listing(
        where,
        "iam.policies",
        f"list{_kind(where)}Policies",
        lambda at: at.iam.policies,
        lambda state: [_policy(state.scopes[where], each) for each in state.scopes[where].policies],
    )


def list_roles(chooser: Chooser) -> Operation:
    where = chooser.where()
    return _listing(
        where,
        "iam.roles",
        f"list{_kind(where)}Roles",
        lambda at: at.iam.roles,
        lambda state: [_role(state, where, each) for each in state.scopes[where].roles],
    )


def _name_taken(things: dict[str, Any], name: str, but: str | None = None) -> set[int]:
    return {409} if any(thing.name == name and each != but for each, thing in things.items()) else set()


def _choose_ids(chooser: Chooser, known: Iterable[str]) -> list[str]:
    """A few of them, and seldom one that is not there."""
    ids = chooser.some(list(known))
    return [*ids, NO_UUID] if chooser.one(*[False] * 7, True) else ids


def _choose_policy_fields(chooser: Chooser, where: Where) -> tuple[str, list[str]]:
    scope = chooser.scope(where)
    name = chooser.one(f"Policy {chooser.serial}", *(policy.name for policy in scope.policies.values()))
    return name, _choose_ids(chooser, scope.permissions)


def create_policy(chooser: Chooser) -> Operation:
    where = chooser.where()
    name, permission_ids = _choose_policy_fields(chooser, where)
    description = chooser.one(None, "Made")

    def rule(scope: Scope) -> set[int]:
        return _name_taken(scope.policies, name) | _bad_list(scope.permissions, permission_ids)

    def done(before: State, now: State) -> State | None:
        policy_id = _new(before.scopes[where].policies, now.scopes[where].policies, name=name)
        if policy_id is None:
            return None
        state = before.copy()
        state.scopes[where].policies[policy_id] = Policy(name, description, tuple(permission_ids))
        return state

    def answer(before: State, after: State) -> Any:
        policy_id = _new(before.scopes[where].policies, after.scopes[where].policies, name=name)
        assert policy_id is not None
        return _policy(after.scopes[where], policy_id)

    return Operation(
        f"{_text(where)}.iam.policies.create({name!r}, permission_ids=<{len(permission_ids)}>)",
        f"create{_kind(where)}Policy",
        Effect.ONCE,
        lambda client: _at(client, where).iam.policies.create(
            name, permission_ids=permission_ids, description=description
        ),
        answer,
        _not_empty(permission_ids, _in(where, rule)),
        done,
    )


def update_policy(chooser: Chooser) -> Operation:
    where = chooser.where()
    policy_id = chooser.one(*chooser.scope(where).policies, NO_UUID)
    name, permission_ids = _choose_policy_fields(chooser, where)
    given: dict[str, Any] = chooser.one({}, {"description": "Changed"}, {"description": None})

    def rule(scope: Scope) -> set[int]:
        if policy_id not in scope.policies:
            return {404}
        return _name_taken(scope.policies, name, policy_id) | _bad_list(scope.permissions, permission_ids)

    def change(scope: Scope) -> None:
        description = given.get("description", scope.policies[policy_id].description)
        scope.policies[policy_id] = Policy(name, description, tuple(permission_ids))

    return Operation(
        f"{_text(where)}.iam.policies.update({policy_id[:8]}, name={name!r}, permission_ids=<{len(permission_ids)}>,"
        f" **{given})",
        f"update{_kind(where)}Policy",
        Effect.REPEATABLE,
        lambda client: _at(client, where).iam.policies.update(
            policy_id, name=name, permission_ids=permission_ids, **given
        ),
        lambda _, state: _policy(state.scopes[where], policy_id),
        _not_empty(permission_ids, _in(where, rule)),
        _changed(where, change),
    )


def delete_policy(chooser: Chooser) -> Operation:
    where = chooser.where()
    policy_id = chooser.one(*chooser.scope(where).policies, NO_UUID)

    def rule(scope: Scope) -> set[int]:
        if policy_id not in scope.policies:
            return {404}
        return {409} if any(policy_id in role.policies for role in scope.roles.values()) else set()

    return Operation(
        f"{_text(where)}.iam.policies.delete({policy_id[:8]})",
        f"delete{_kind(where)}Policy",
        Effect.REPEATABLE,
        lambda client: _at(client, where).iam.policies.delete(policy_id),
        _deleted("DeletionResult", policy_id),
        _in(where, rule),
        _changed(where, lambda scope: scope.policies.__delitem__(policy_id)),
        is_deletion=True,
    )


def _choose_role(chooser: Chooser, where: Where) -> str:
    roles = chooser.scope(where).roles
    own = [role_id for role_id, role in roles.items() if not role.is_system]
    return chooser.one(*own, *own, *roles, NO_UUID)


def _choose_role_fields(chooser: Chooser, where: Where) -> tuple[str, list[str]]:
    scope = chooser.scope(where)
    new = f"Role {chooser.serial}"
    name = chooser.one(new, new, *(role.name for role in scope.roles.values()))
    return name, _choose_ids(chooser, scope.policies)


def _not_empty(ids: list[str], rule: Callable[[State], set[int]]) -> Callable[[State], set[int]]:
    """A rule of what is well-formed: a list must not be empty."""
    return rule if ids else lambda state: rule(state) | {400}


def _bad_list(known: dict[str, Any], ids: list[str]) -> set[int]:
    return set() if ids and all(each in known for each in ids) else {400}


def create_role(chooser: Chooser) -> Operation:
    where = chooser.where()
    name, policy_ids = _choose_role_fields(chooser, where)
    description = chooser.one(None, "Made")

    def done(before: State, now: State) -> State | None:
        role_id = _new(before.scopes[where].roles, now.scopes[where].roles, name=name)
        if role_id is None:
            return None
        state = before.copy()
        state.scopes[where].roles[role_id] = Role(name, description, tuple(policy_ids))
        return state

    def answer(before: State, after: State) -> Any:
        role_id = _new(before.scopes[where].roles, after.scopes[where].roles, name=name)
        assert role_id is not None
        return _role(after, where, role_id)

    return Operation(
        f"{_text(where)}.iam.roles.create({name!r}, policy_ids=<{len(policy_ids)}>)",
        f"create{_kind(where)}Role",
        Effect.ONCE,
        lambda client: _at(client, where).iam.roles.create(name, policy_ids=policy_ids, description=description),
        answer,
        _not_empty(
            policy_ids,
            _in(where, lambda scope: _name_taken(scope.roles, name) | _bad_list(scope.policies, policy_ids)),
        ),
        done,
    )


def update_role(chooser: Chooser) -> Operation:
    where = chooser.where()
    role_id = _choose_role(chooser, where)
    name, policy_ids = _choose_role_fields(chooser, where)
    given: dict[str, Any] = chooser.one({}, {"description": "Changed"}, {"description": None})

    def rule(scope: Scope) -> set[int]:
        if role_id not in scope.roles:
            return {404}
        found = {403} if scope.roles[role_id].is_system else set()
        return found | _name_taken(scope.roles, name, role_id) | _bad_list(scope.policies, policy_ids)

    def change(scope: Scope) -> None:
        description = given.get("description", scope.roles[role_id].description)
        scope.roles[role_id] = Role(name, description, tuple(policy_ids))

    return Operation(
        f"{_text(where)}.iam.roles.update({role_id[:8]}, name={name!r}, policy_ids=<{len(policy_ids)}>, **{given})",
        f"update{_kind(where)}Role",
        Effect.REPEATABLE,
        lambda client: _at(client, where).iam.roles.update(role_id, name=name, policy_ids=policy_ids, **given),
        lambda _, state: _role(state, where, role_id),
        _not_empty(policy_ids, _in(where, rule)),
        _changed(where, change),
    )


def delete_role(chooser: Chooser) -> Operation:
    where = chooser.where()
    role_id = _choose_role(chooser, where)

    def rule(scope: Scope) -> set[int]:
        if role_id not in scope.roles:
            return {404}
        if scope.roles[role_id].is_system:
            return {403, 409} if role_id in scope.members.values() else {403}
        pending = [each.role for each in scope.invitations.values() if each.status == "PENDING"]
        return {409} if role_id in scope.members.values() or role_id in pending else set()

    def change(scope: Scope) -> None:
        del scope.roles[role_id]
        for each, invitation in scope.invitations.items():
            if invitation.role == role_id:  # a declined one: nobody will ever have the role by it
                scope.invitations[each] = attrs.evolve(invitation, role=None)

    return Operation(
        f"{_text(where)}.iam.roles.delete({role_id[:8]})",
        f"delete{_kind(where)}Role",
        Effect.REPEATABLE,
        lambda client: _at(client, where).iam.roles.delete(role_id),
        _deleted("DeletionResult", role_id),
        _in(where, rule),
        _changed(where, change),
        is_deletion=True,
    )


# Governance policies and the organization -----------------------------------------------------------------------------


def _choose_governance(chooser: Chooser) -> str:
    known = chooser.state.governance
    return chooser.one(*known, *known, NO_UUID)


def _no_governance(policy_id: str) -> Callable[[State], set[int]]:
    return lambda state: set() if policy_id in state.governance else {404}


def list_governance(_: Chooser) -> Operation:
    def answer(_: State, state: State) -> Any:
        return [
            {
                "a": "GovernancePolicy",
                "id": each,
                "name": name,
                "description": None,
                "projects_count": len(state.under(each)),
                "controls": [],
            }
            for each, name in state.governance.items()
        ]

    return Operation(
        "governance.policies.list()",
        "listGovernancePolicies",
        Effect.READ,
        lambda client: client.organization().governance.policies.list(),
        answer,
    )


def _projects_under(state: State, policy_id: str) -> list[Any]:
    return [_named(each, state.projects[each].name) for each in state.under(policy_id)]


def list_governed(chooser: Chooser) -> Operation:
    policy_id = _choose_governance(chooser)
    page, page_size = _choose_page(chooser)
    refused = _page_refusals(page, page_size)
    return Operation(
        f"governance.policies.list_projects({policy_id[:8]}, page={page}, page_size={page_size})",
        "listGovernancePolicyProjects",
        Effect.READ,
        lambda client: client.organization().governance.policies.list_projects(
            policy_id, page=page, page_size=page_size
        ),
        lambda _, state: _page(_projects_under(state, policy_id), page, page_size),
        lambda state: refused | _no_governance(policy_id)(state),
    )


def walk_governed(chooser: Chooser) -> Operation:
    policy_id = _choose_governance(chooser)
    page_size = chooser.one(1, 1, 2, 100)
    return Operation(
        f"governance.policies.iter_projects({policy_id[:8]}, page_size={page_size})",
        "listGovernancePolicyProjects",
        Effect.READ,
        lambda client: client.organization().governance.policies.iter_projects(policy_id, page_size=page_size),
        lambda _, state: _projects_under(state, policy_id),
        _no_governance(policy_id),
        is_walk=True,
    )


def _governed(project_ids: list[str], to: Callable[[str | None], str | None]) -> Callable[[State, State], State]:
    def done(before: State, _: State) -> State:
        state = before.copy()
        for each in project_ids:
            if each in state.projects:
                old = state.projects[each]
                state.projects[each] = attrs.evolve(old, governance=to(old.governance))
        return state

    return done


def assign(chooser: Chooser) -> Operation:
    policy_id = _choose_governance(chooser)
    project_ids = [chooser.project(), *chooser.some([*chooser.state.projects, NOWHERE])]
    distinct = list(dict.fromkeys(project_ids))

    def answer(_: State, state: State) -> Any:
        there = [each for each in distinct if each in state.projects]
        return {
            "a": "GovernancePolicyAssignmentResult",
            "governance_policy": _named(policy_id, state.governance[policy_id]),
            "assigned_project_ids": there,
            "not_found_project_ids": [each for each in distinct if each not in there],
            "count": len(there),
        }

    return Operation(
        f"governance.policies.assign({policy_id[:8]}, project_ids={[each[:8] for each in project_ids]})",
        "assignProjectsToGovernancePolicy",
        Effect.REPEATABLE,
        lambda client: client.organization().governance.policies.assign(policy_id, project_ids=project_ids),
        answer,
        _no_governance(policy_id),
        _governed(project_ids, lambda _: policy_id),
    )


def unassign(chooser: Chooser) -> Operation:
    policy_id = _choose_governance(chooser)
    project_ids = [chooser.project(), *chooser.some([*chooser.state.projects, NOWHERE])]
    distinct = list(dict.fromkeys(project_ids))

    def answer(before: State, state: State) -> Any:
        taken = [each for each in before.under(policy_id) if each in distinct]
        taken.sort(key=distinct.index)
        return {
            "a": "GovernancePolicyUnassignmentResult",
            "governance_policy": _named(policy_id, state.governance[policy_id]),
            "unassigned_project_ids": taken,
            "skipped_project_ids": [each for each in distinct if each not in taken],
            "count": len(taken),
        }

    return Operation(
        f"governance.policies.unassign({policy_id[:8]}, project_ids={[each[:8] for each in project_ids]})",
        "unassignProjectsFromGovernancePolicy",
        Effect.REPEATABLE,
        lambda client: client.organization().governance.policies.unassign(policy_id, project_ids=project_ids),
        answer,
        _no_governance(policy_id),
        _governed(project_ids, lambda now: None if now == policy_id else now),
    )


def get_organization(_: Chooser) -> Operation:
    return Operation(
        "organization.get()",
        "getOrganization",
        Effect.READ,
        lambda client: client.organization().get(),
        lambda _, state: _organization(state),
    )


def update_organization(chooser: Chooser) -> Operation:
    name = f"Acme {chooser.serial}"

    def done(before: State, _: State) -> State:
        state = before.copy()
        state.name = name
        return state

    return Operation(
        f"organization.update(name={name!r})",
        "updateOrganization",
        Effect.REPEATABLE,
        lambda client: client.organization().update(name=name),
        lambda _, state: _organization(state),
        done=done,
    )


# By method and path ---------------------------------------------------------------------------------------------------


def _raw_project(state: State, project_id: str) -> dict[str, Any]:
    project = state.projects[project_id]
    shown = {"id": project_id, "name": project.name, "description": project.description}
    return shown | {"organizationId": state.id}


def request_list(_: Chooser) -> Operation:
    def answer(_: State, state: State) -> Any:
        governance = {None: None} | {each: {"id": each, "name": name} for each, name in state.governance.items()}
        return {
            "projects": [
                _raw_project(state, each) | {"governancePolicy": governance[project.governance]}
                for each, project in state.projects.items()
            ]
        }

    return Operation(
        "request('GET', '/v1/projects')",
        "listProjects",
        Effect.READ,
        lambda client: client.request("GET", "/v1/projects"),
        answer,
        is_raw=True,
    )


def request_creation(chooser: Chooser) -> Operation:
    name = chooser.one(f"New {chooser.serial}", *(each.name for each in chooser.state.projects.values()))

    def answer(before: State, after: State) -> Any:
        project_id = _new(before.projects, after.projects, name=name)
        assert project_id is not None
        ((key_id, key),) = after.scopes[project_id].keys.items()
        shown = {"id": key_id, "name": key.name, "valid": True, "value": key.value}
        return {"project": _raw_project(after, project_id), "apiKey": shown}

    return Operation(
        f"request('POST', '/v1/projects', json={{'name': {name!r}}})",
        "createProject",
        Effect.ONCE,
        lambda client: client.request("POST", "/v1/projects", json={"name": name}),
        answer,
        lambda state: {409} if _project_named(state, name) else set(),
        _with_new_project(name, None, None),
        is_raw=True,
    )


def request_change(chooser: Chooser) -> Operation:
    project_id = chooser.project()
    name = chooser.one(f"Renamed {chooser.serial}", *(each.name for each in chooser.state.projects.values()))
    repeatable = chooser.one(None, False)
    refusals, done = _project_changed(project_id, name, None)
    return Operation(
        f"request('PUT', '/v1/projects/{project_id[:8]}', json={{'name': {name!r}}}, repeatable={repeatable})",
        "updateProject",
        Effect.REPEATABLE if repeatable is None else Effect.ONCE,
        lambda client: client.request("PUT", f"/v1/projects/{project_id}", json={"name": name}, repeatable=repeatable),
        lambda _, state: {"project": _raw_project(state, project_id)},
        refusals,
        done,
        is_raw=True,
    )


def request_deletion(chooser: Chooser) -> Operation:
    project_id = chooser.project()
    return Operation(
        f"request('DELETE', '/v1/projects/{project_id[:8]}')",
        "deleteProject",
        Effect.REPEATABLE,
        lambda client: client.request("DELETE", f"/v1/projects/{project_id}"),
        lambda _, __: {"id": project_id, "deleted": True},
        _in(project_id, _no_rule),
        _without_project(project_id),
        is_deletion=True,
        is_raw=True,
    )


#: All of them, by name.
OPERATIONS: dict[str, Callable[[Chooser], Operation]] = {
    function.__name__: function
    for function in (
        list_projects,
        get_project,
        create_project,
        update_project,
        delete_project,
        list_keys,
        get_key,
        create_key,
        update_key,
        delete_key,
        list_invitations,
        create_invitations,
        resend_invitation,
        revoke_invitation,
        list_members,
        walk_members,
        update_member,
        remove_member,
        list_permissions,
        list_policies,
        create_policy,
        update_policy,
        delete_policy,
        list_roles,
        create_role,
        update_role,
        delete_role,
        list_governance,
        list_governed,
        walk_governed,
        assign,
        unassign,
        get_organization,
        update_organization,
        request_list,
        request_creation,
        request_change,
        request_deletion,
    )
}

#: The names, those more often of which most can go wrong.
NAMES = [
    *OPERATIONS,
    *[each.__name__ for each in (create_project, create_key, create_key, create_invitations, resend_invitation)],
    *[each.__name__ for each in (walk_members, walk_members, walk_members, walk_governed)],
    *[each.__name__ for each in (delete_project, delete_role, revoke_invitation, remove_member, update_project)],
]
