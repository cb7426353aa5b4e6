"""Other first states than the default one."""

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from confidentai_admin.emulator import Emulator, SeedError
from confidentai_admin.emulator import seed as seeds
from confidentai_admin.emulator._rules.key_mask import KeyMask
from confidentai_admin.emulator._rules.world import World
from confidentai_admin.emulator.clock import Clock, timestamp

OWNER = {"email": "o@x.example", "role": "Owner"}

FULL: dict[str, Any] = {
    "idSeed": 7,
    "organization": {"name": "Example Ltd", "plan": "STARTER"},
    "members": [
        {"email": "o@x.example", "name": "Olive", "image": "https://x.example/o.png", "role": "Owner"},
        {"email": "m@x.example"},
        {"email": "g@x.example", "role": None},
        {"email": "a@x.example", "role": "Accountant"},
    ],
    "policies": [{"name": "Billing", "description": "D", "permissions": ["billing:read", "billing:manage"]}],
    "roles": [{"name": "Accountant", "policies": ["Billing", "Member access"]}],
    "apiKeys": [{"name": "CI"}, {"name": "Old", "valid": False}],
    "invitations": [{"email": "n@x.example", "role": "Accountant", "status": "DECLINED"}, {"email": "p@x.example"}],
    "governancePolicies": [{"name": "Baseline", "controls": [{"name": "C", "type": "RUNTIME"}]}],
    "projects": [
        {
            "name": "Chatbot",
            "description": "D",
            "governancePolicy": "Baseline",
            "members": [{"email": "M@x.example", "role": "Owner"}, {"email": "g@x.example", "role": "Reader"}],
            "policies": [{"name": "Read", "permissions": ["trace:read"]}],
            "roles": [{"name": "Reader", "policies": ["Read"]}],
            "apiKeys": [{"name": "Second"}],
            "invitations": [{"email": "a@x.example", "role": "Reader"}],
        },
        {"name": "Empty"},
    ],
}


def build(seed: dict[str, Any], *, plan: str | None = None) -> World:
    """Make a world as `Emulator` does."""
    return seeds.build(seeds.read_seed(seed), api_key=None, plan=plan, clock=Clock(), key_mask=KeyMask())


def test_a_seed_describes_everything() -> None:
    """All that a seed says is in the world: people, roles, keys, invitations, projects and governance."""
    world = build(FULL)
    assert (world.name, world.plan) == ("Example Ltd", "STARTER")
    roles = {
        world.users[user_id].email: role_id and world.scope.roles[role_id].name
        for user_id, role_id in world.scope.members.items()
    }
    assert roles == {"o@x.example": "Owner", "m@x.example": "Member", "g@x.example": None, "a@x.example": "Accountant"}
    assert [(key.name, key.valid) for key in world.scope.api_keys.values()] == [
        ("Emulator", True),
        ("CI", True),
        ("Old", False),
    ]
    assert [(each.email, each.status, each.role_id is None) for each in world.scope.invitations.values()] == [
        ("n@x.example", "DECLINED", False),
        ("p@x.example", "PENDING", True),
    ]
    chatbot, empty = world.projects.values()
    assert [key.name for key in chatbot.scope.api_keys.values()] == ["Default Key", "Second"]
    assert [key.name for key in empty.scope.api_keys.values()] == ["Default Key"]
    owner = chatbot.scope.owner_id()
    assert owner is not None
    assert world.users[owner].email == "m@x.example"
    assert chatbot.governance_policy_id in world.governance_policies
    assert len(chatbot.scope.invitations) == 1


def test_the_same_seed_makes_the_same_ids_and_another_makes_others() -> None:
    """Ids and key values follow from `idSeed` and from nothing else."""
    one, same, other = build(FULL), build(FULL), build({**FULL, "idSeed": 8})

    def ids(world: World) -> list[str]:
        keys = [key.value for scope in world.scopes() for key in scope.api_keys.values()]
        return [world.id, *world.users, *world.projects, *world.governance_policies, *world.scope.roles, *keys]

    assert ids(one) == ids(same)
    assert not set(ids(one)) & set(ids(other))


def test_members_are_enough() -> None:
    """The smallest seed is one Owner; the rest is empty."""
    world = build({"members": [OWNER]})
    assert (world.plan, len(world.users), len(world.projects), len(world.governance_policies)) == ("TEAM", 1, 0, 0)


def test_a_plan_given_is_taken_instead_of_the_seeds() -> None:
    """The argument wins over the seed, the seed over the default."""
    assert build(FULL, plan="FREE").plan == "FREE"
    assert build(FULL).plan == "STARTER"


def test_building_leaves_the_seed_as_it_was() -> None:
    """A mapping given as a seed is not changed."""
    given = copy.deepcopy(FULL)
    build(given)
    assert given == FULL


def test_a_name_given_twice_in_a_list_counts_once() -> None:
    """A permission or a policy that a seed's list repeats is held once."""
    seed = _with("policies.0.permissions", ["billing:read", "iam:read", "billing:read"])
    seed["roles"][0]["policies"] = ["Billing", "Member access", "Billing"]
    world = build(seed)
    [policy] = [policy for policy in world.scope.policies.values() if policy.name == "Billing"]
    assert [world.scope.permissions[each].name for each in policy.permission_ids] == ["billing:read", "iam:read"]
    [role] = [role for role in world.scope.roles.values() if role.name == "Accountant"]
    assert [world.scope.policies[each].name for each in role.policy_ids] == ["Billing", "Member access"]


def test_changing_a_seed_later_changes_no_emulator() -> None:
    """A mapping, of any kind and however deep, is copied: what becomes of it later is not in a reset."""
    seed = copy.deepcopy(FULL)
    emu = Emulator(seed=MappingProxyType(seed))
    seed["organization"]["name"] = "Changed"
    seed["members"].append({"email": "late@x.example"})
    seed["projects"].clear()
    emu.reset()
    world = emu._app._world
    assert (world.name, len(world.users), len(world.projects)) == ("Example Ltd", 4, 2)


def _with(place: str, value: object) -> dict[str, Any]:
    """Give the full seed with one value replaced, for instance at `projects.0.name`."""
    seed = copy.deepcopy(FULL)
    *way, last = place.split(".")
    inner: Any = seed
    for step in way:
        inner = inner[int(step) if step.isdigit() else step]
    inner[int(last) if last.isdigit() else last] = value
    return seed


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("members", [], "members must have at least 1 item"),
        ("members", None, "members must not be null"),
        ("members.0.role", "Admin", "exactly one whose role is Owner"),
        ("members.1.role", "Owner", "exactly one whose role is Owner"),
        ("members.1.role", "Manager", "members[1].role"),
        ("members.1.email", "nobody", "members[1].email"),
        ("members.1.email", "O@x.example", "members[1].email is there twice"),
        ("members.1.nickname", "M", "members[1].nickname is not a known field"),
        ("organization.plan", "GOLD", "organization.plan must be one of"),
        ("idSeed", "7", "idSeed must be an integer"),
        ("policies.0.permissions", ["trace:read"], "policies[0].permissions[0]"),
        ("policies.0.name", "Owner access", "policies[0].name is taken"),
        ("policies", [{"name": "P", "permissions": []}, {"name": "P", "permissions": []}], "policies[1].name is taken"),
        ("roles", [{"name": "R", "policies": []}, {"name": "R", "policies": []}], "roles[1].name is taken"),
        (
            "projects.0.policies",
            [{"name": "Read", "permissions": []}, {"name": "Read", "permissions": []}],
            "projects[0].policies[1].name is taken",
        ),
        (
            "projects.0.roles",
            [{"name": "Reader", "policies": []}, {"name": "Reader", "policies": []}],
            "projects[0].roles[1].name is taken",
        ),
        ("roles.0.policies", ["None"], "roles[0].policies[0]"),
        ("roles.0.name", "Admin", "roles[0].name is taken"),
        ("invitations.0.email", "m@x.example", "invitations[0].email is a member"),
        ("invitations.1.email", "N@x.example", "invitations[1].email is a member or invited already"),
        ("invitations.0.role", "Owner", "invitations[0].role must not be Owner"),
        ("invitations.0.status", "ACCEPTED", "invitations[0].status must be one of"),
        ("governancePolicies.0.controls.0.type", "MAGIC", "governancePolicies[0].controls[0].type"),
        ("governancePolicies", [{"name": "B"}, {"name": "B"}], "governancePolicies[1].name is there twice"),
        ("projects.0.governancePolicy", "None", "projects[0].governancePolicy"),
        ("projects.1.name", "Chatbot", "projects[1].name is there twice"),
        ("projects.0.members.0.email", "z@x.example", "projects[0].members[0].email"),
        ("projects.0.members.0.email", "g@x.example", "projects[0].members[1].email is there twice"),
        ("projects.0.members.1.role", "Owner", "projects[0].members has more than one Owner"),
        ("projects.0.members.1.role", "Admin", "projects[0].members[1].role"),
        ("projects.0.roles.0.policies", ["Billing"], "projects[0].roles[0].policies[0]"),
    ],
)
def test_a_seed_that_cannot_be_is_refused_by_the_place(place: str, value: object, says: str) -> None:
    """Every mistake in a seed is a `SeedError` that names the place."""
    with pytest.raises(SeedError) as caught:
        build(_with(place, value))
    assert says in str(caught.value)


def test_a_seed_can_be_a_file(tmp_path: Path) -> None:
    """A path, as a string or not, is read as JSON."""
    path = tmp_path / "seed.json"
    path.write_text(json.dumps(FULL), encoding="utf-8")
    assert Emulator(seed=path).api_key == Emulator(seed=str(path)).api_key == Emulator(seed=FULL).api_key
    assert Emulator(seed=path).api_key != Emulator().api_key


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_file_that_is_no_seed_is_refused(tmp_path: Path, content: bytes) -> None:
    """What is not a JSON object is a `SeedError`, and so is a file that is not there."""
    path = tmp_path / "seed.json"
    with pytest.raises(SeedError, match="cannot be read"):
        Emulator(seed=path)
    path.write_bytes(content)
    with pytest.raises(SeedError, match="JSON"):
        Emulator(seed=path)


def _holding_itself(place: str) -> dict[str, Any]:
    """Give a seed in which something holds all of it."""
    seed = copy.deepcopy(FULL)
    inner = seed
    if place:
        inner[place].append(seed)
    else:
        inner["seed"] = seed
    return seed


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("", "seed is not a known field here"),
        ("members", "members[4].email is required"),
        ("apiKeys", "apiKeys[2].name"),
    ],
)
def test_a_seed_that_holds_itself_is_refused_by_the_place(place: str, says: str) -> None:
    """A mapping in a program may hold itself: a seed that does describes no world, and the message says where."""
    with pytest.raises(SeedError) as caught:
        Emulator(seed=_holding_itself(place))
    assert says in str(caught.value)


def test_a_seed_without_an_end_is_refused(tmp_path: Path) -> None:
    """Lists in lists, in a mapping or in a file, are no world either, however many there are."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(SeedError, match=r"members\[0\] must be an object, not a list"):
        Emulator(seed={"members": deep})
    path = tmp_path / "seed.json"
    path.write_text(f'{{"members": {"[" * 200_000}{"]" * 200_000}}}')
    with pytest.raises(SeedError, match=r"nested too deeply|must be an object"):
        Emulator(seed=path)


# What begins with a time, by the places where a seed says when, and how the API shows it.
LONG_AGO = "2024-02-29T23:30:00.123456-02:30"
SHOWN = "2024-03-01T02:00:00.123Z"


def test_a_seed_says_since_when_things_are_there() -> None:
    """The organization, projects, keys and invitations are as old as the seed says, also after a reset.

    A first key is as old as what it is the first of.
    """
    seed: dict[str, Any] = {
        "organization": {"createdAt": LONG_AGO},
        "members": [OWNER],
        "apiKeys": [{"name": "CI", "createdAt": LONG_AGO, "lastUsed": "2025-01-01T00:00:00Z"}, {"name": "New"}],
        "invitations": [{"email": "i@x.example", "createdAt": LONG_AGO}],
        "projects": [
            {
                "name": "Old",
                "createdAt": LONG_AGO,
                "apiKeys": [{"name": "K", "createdAt": "20250101T00Z"}],
                "invitations": [{"email": "i@x.example", "createdAt": LONG_AGO}],
            },
            {"name": "Young"},
        ],
    }
    emu = Emulator(seed=seed)
    for _ in range(2):
        world = emu._app._world
        old, young = world.projects.values()
        assert timestamp(world.created_at) == timestamp(old.created_at) == SHOWN
        first, key, new = world.scope.api_keys.values()
        assert (timestamp(first.created_at), timestamp(key.created_at)) == (SHOWN, SHOWN)
        assert key.last_used == datetime(2025, 1, 1, tzinfo=UTC)
        assert [timestamp(each.created_at) for each in world.scope.invitations.values()] == [SHOWN]
        assert [timestamp(each.created_at) for each in old.scope.invitations.values()] == [SHOWN]
        default, second = old.scope.api_keys.values()
        assert timestamp(default.created_at) == SHOWN
        assert second.created_at == datetime(2025, 1, 1, tzinfo=UTC)
        (its_key,) = young.scope.api_keys.values()
        for recent in (new.created_at, young.created_at, its_key.created_at):
            assert datetime.now(UTC) - recent < timedelta(minutes=1)
        emu.reset()


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        ("organization.createdAt", "yesterday", "organization.createdAt must be a time with an offset"),
        ("projects.0.createdAt", "2025-01-01T00:00:00", "projects[0].createdAt must be a time with an offset"),
        ("projects.0.createdAt", "2025-02-30T00:00:00Z", "projects[0].createdAt must be a time with an offset"),
        ("projects.0.createdAt", "0001-01-01T00:00:00+14:00", "projects[0].createdAt must be a time with an offset"),
        ("projects.0.createdAt", None, "projects[0].createdAt must not be null"),
        ("projects.0.apiKeys.0.createdAt", 1735689600, "projects[0].apiKeys[0].createdAt must be a string"),
        ("projects.0.apiKeys.0.createdAt", "2999-01-01T00:00:00Z", "projects[0].apiKeys[0].createdAt is in the future"),
        ("organization.createdAt", "2999-01-01T00:00:00Z", "organization.createdAt is in the future"),
        ("projects.0.createdAt", "2999-01-01T00:00:00Z", "projects[0].createdAt is in the future"),
        ("invitations.0.createdAt", "2999-01-01T00:00:00Z", "invitations[0].createdAt is in the future"),
        ("apiKeys.0.lastUsed", "2999-01-01T00:00:00Z", "apiKeys[0].lastUsed is in the future"),
        ("apiKeys.0.expiresAt", LONG_AGO, "apiKeys[0].expiresAt is not after createdAt"),
    ],
)
def test_a_time_that_cannot_be_is_refused_by_the_place(place: str, value: object, says: str) -> None:
    """A time is ISO 8601 with an offset, and not one that is to come."""
    with pytest.raises(SeedError) as caught:
        build(_with(place, value))
    assert says in str(caught.value)


def test_a_key_is_not_used_before_it_is_made() -> None:
    """A key was last used when it was there, and need not have been used."""
    key = {"name": "K", "createdAt": LONG_AGO, "lastUsed": "2024-02-29T00:00:00Z"}
    with pytest.raises(SeedError, match=r"apiKeys\[0\]\.lastUsed is before createdAt"):
        build({"members": [OWNER], "apiKeys": [key]})
    world = build({"members": [OWNER], "apiKeys": [{**key, "lastUsed": None}]})
    assert [each.last_used for each in world.scope.api_keys.values()] == [None, None]
