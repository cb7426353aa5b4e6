"""A world of any size is made, and worked on, without a search: what is looked at is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator import seed as seeds
from confidentai_admin.emulator._rules.key_mask import KeyMask
from confidentai_admin.emulator._rules.tables import Members, Table
from confidentai_admin.emulator._rules.world import World
from confidentai_admin.emulator.clock import Clock

from .raw_client import ask

OWNER = {"email": "o@x.example", "role": "Owner"}
PERMISSION = "billing:read"


class Looked(str):
    """A text that counts how often it is compared with another or folded to be compared."""

    looks: ClassVar[int] = 0

    def __eq__(self, other: object) -> bool:
        Looked.looks += 1
        return str(self) == other

    def __hash__(self) -> int:
        return super().__hash__()

    def __str__(self) -> str:
        return str.__str__(self)

    def casefold(self) -> str:
        """Count, and fold."""
        Looked.looks += 1
        return super().casefold()


def names(count: int) -> list[Looked]:
    return [Looked(f"n{number}") for number in range(count)]


def addresses(count: int) -> list[Looked]:
    return [Looked(f"N{number}@x.example") for number in range(count)]


def members(count: int) -> dict[str, Any]:
    """Many members, with a role that is the last of many."""
    roles = [{"name": name, "policies": []} for name in names(count)]
    people = [{"email": email, "role": f"n{count - 1}"} for email in addresses(count)]
    return {"members": [OWNER, *people], "roles": roles}


def memberships(count: int) -> dict[str, Any]:
    """Many members, of one project."""
    people = [{"email": email} for email in addresses(count)]
    return {"members": [OWNER, *people], "projects": [{"name": Looked("P"), "members": people}]}


def invitations(count: int) -> dict[str, Any]:
    """Many invitations, as many of them declined."""
    invited = [{"email": each, "status": "DECLINED" if each[1] in "02468" else "PENDING"} for each in addresses(count)]
    return {"members": [OWNER], "invitations": invited}


def projects(count: int) -> dict[str, Any]:
    """Many projects, under as many governance policies."""
    return {
        "members": [OWNER],
        "governancePolicies": [{"name": name} for name in names(count)],
        "projects": [{"name": name, "governancePolicy": Looked(name)} for name in names(count)],
    }


def policies(count: int) -> dict[str, Any]:
    """Many policies, roles and keys."""
    return {
        "members": [OWNER],
        "policies": [{"name": name, "permissions": [PERMISSION]} for name in names(count)],
        "roles": [{"name": name, "policies": [Looked(name)]} for name in names(count)],
        "apiKeys": [{"name": name} for name in names(count)],
    }


def looks_at(seed: dict[str, Any]) -> int:
    """Make the world and give how often its texts were looked at."""
    Looked.looks = 0
    seeds.build(seed, api_key=None, plan=None, clock=Clock(), key_mask=KeyMask())
    return Looked.looks


@pytest.mark.parametrize("many", [members, memberships, invitations, projects, policies])
def test_a_world_four_times_as_large_takes_four_times_as_many_looks(many: Callable[[int], dict[str, Any]]) -> None:
    """Making a world takes time in proportion to its size, whatever it is large in; so does a reset."""
    few = looks_at(many(20)) - looks_at(many(0))
    assert few > 0
    assert looks_at(many(80)) - looks_at(many(0)) <= 4 * few


def crowd(count: int) -> dict[str, Any]:
    """A world that has many of everything."""
    project = {"name": Looked("P"), "members": [{"email": f"n{number}@x.example"} for number in range(count // 2)]}
    seed = {**members(count), "projects": [*projects(count)["projects"], project]}
    seed["governancePolicies"] = projects(count)["governancePolicies"]
    seed["policies"] = [{"name": name, "permissions": [PERMISSION]} for name in names(count)]
    invited = [Looked(f"I{number}@x.example") for number in range(count)]
    project["invitations"] = seed["invitations"] = [{"email": email} for email in invited]
    return seed


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Count what is walked through, too."""

    def counting(walk: Callable[[Any], Iterator[Any]]) -> Callable[[Any], Iterator[Any]]:
        def walked(self: Any) -> Iterator[Any]:
            for item in walk(self):
                Looked.looks += 1
                yield item

        return walked

    Looked.looks = 0
    with monkeypatch.context() as patched:
        for owner in (Table, Members):
            patched.setattr(owner, "__iter__", counting(owner.__iter__))
        yield


def day_at_work(emu: Emulator) -> list[Callable[[], object]]:
    """What people and programs do all day, one thing or one person at a time."""
    world: World = emu._app._world
    project = next(each for each in world.projects.values() if each.name == "P")
    member = next(user for user in world.users.values() if user.email == "N1@x.example")
    invitation = next(iter(project.scope.invitations.values()))
    admin = world.scope.system_role("Admin").id
    manager = project.scope.system_role("Manager").id
    permission = next(iter(world.scope.permissions))
    policy = next(iter(world.scope.policies))
    role = {"name": "R", "policyIds": [policy]}
    below = f"/v1/projects/{project.id}"

    def call(method: str, path: str, body: object = None) -> Callable[[], object]:
        return lambda: ask(emu, method, path, body)

    return [
        lambda: emu.add_member("new@x.example"),
        lambda: emu.add_member("new@x.example", project_id=project.id, project_role="Manager"),
        lambda: emu.accept_invitation(invitation.id),
        lambda: emu.create_governance_policy("G"),
        call("POST", "/v1/projects", {"name": "New", "email": "n0@x.example"}),
        call("PUT", below, {"name": "Renamed"}),
        call("POST", f"{below}/api-keys", {"name": "K"}),
        call("PUT", f"/v1/organization/members/{member.id}", {"roleId": admin}),
        call("PUT", f"{below}/members/{member.id}", {"roleId": manager}),
        call("DELETE", f"{below}/members/{member.id}"),
        call("POST", "/v1/organization/invitations", {"emails": ["i@x.example", "n3@x.example", "i3@x.example"]}),
        call("POST", f"{below}/invitations", {"emails": ["i@x.example", "n3@x.example", "i3@x.example"]}),
        call("POST", "/v1/organization/policies", {"name": "Q", "permissionIds": [permission]}),
        call("POST", "/v1/organization/roles", role),
        call("GET", "/v1/organization/members?pageSize=5"),
        call("GET", f"{below}/members?pageSize=5"),
    ]


def test_work_takes_as_many_looks_in_a_large_world_as_in_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adding, inviting, making and renaming one thing is no more work where there are many."""
    looks: list[list[int]] = []
    for count in (10, 40):
        with Emulator(seed=crowd(count)) as emu:
            looks.append([])
            for work in day_at_work(emu):
                with counted(monkeypatch):
                    work()
                    looks[-1].append(Looked.looks)
            assert {call.status for call in emu.calls} == {200}
    assert looks[0] == looks[1]


def test_an_emulator_makes_its_world_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting makes one world and each reset one more."""
    made: list[World] = []
    build = seeds.build

    def counted_build(*arguments: Any, **options: Any) -> World:
        made.append(build(*arguments, **options))
        return made[-1]

    monkeypatch.setattr(seeds, "build", counted_build)
    emu = Emulator()
    assert len(made) == 1
    emu.reset()
    assert len(made) == 2
