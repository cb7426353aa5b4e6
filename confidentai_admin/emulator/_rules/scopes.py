"""What a new organization or project starts with: permissions, and the system roles built on them."""

import json
from functools import cache
from importlib import resources
from typing import Any, Final

from .ids import Ids
from .world import Permission, Policy, Role, Scope, ScopeKind

# Who the Owner becomes when somebody else is made Owner.
FORMER_OWNER: Final[dict[ScopeKind, str]] = {"organization": "Admin", "project": "Manager"}

DEFAULT_ROLE: Final = "Member"


def new_scope(kind: ScopeKind, scope_id: str, ids: Ids) -> Scope:
    """Make a scope with its permissions and system roles. Every id in it is its own, no two projects share one."""
    scope = Scope(kind, scope_id)
    known = _permission_lists()[kind]
    id_by_name: dict[str, str] = {}
    for name in known["permissions"]:
        resource, _, action = name.partition(":")
        permission = Permission(ids.uuid("permission"), name, f"Allows to {action} {resource}.")
        scope.permissions[permission.id] = permission
        id_by_name[name] = permission.id
    for name, extent in known["system_roles"].items():
        missing = [] if extent == "all" else extent["all_but"]
        policy = Policy(
            id=ids.uuid("policy"),
            name=f"{name} access",
            description=f"What the role {name} may do.",
            permission_ids=[id_by_name[each] for each in known["permissions"] if each not in missing],
            built_in=True,
        )
        scope.policies[policy.id] = policy
        role = Role(ids.uuid("role"), name, f"Built-in role of the {kind}.", [policy.id], system=True)
        scope.roles[role.id] = role
    return scope


@cache
def _permission_lists() -> dict[str, Any]:
    text = resources.files("confidentai_admin.emulator").joinpath("permissions.json").read_text(encoding="utf-8")
    lists: dict[str, Any] = json.loads(text)
    return lists
