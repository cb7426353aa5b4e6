"""The requests of calls that are no job, by operation.

That each of the 53 operations is one request, on both faces, is shown by `operations/test_wire.py`. Here is what may be
more than one, or none.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

import pytest

from confidentai_admin import ConfidentAI
from confidentai_admin.emulator import Emulator

from ..operations.cases import CASES
from ..operations.cases.case import made_call
from ..operations.faces import done, everything, opened
from ..operations.lookups import new_project
from ..operations.test_surface import ANOTHER_WAY, LOOKS_FIRST
from .sent import sent_to

pytestmark = pytest.mark.both_faces

OPERATIONS = {made_call(case).name: case.operation for case in CASES}


def method_at(objects: dict[str, object], place: str) -> Callable[..., Any]:
    """The method at a place in the tree, such as `project.api_keys.create`."""
    first, *names = place.split(".")
    thing: Any = objects[first] if first in objects else getattr(objects["client"], first)
    for name in names:
        thing = getattr(thing, name)
    return cast(Callable[..., Any], thing)


@pytest.mark.parametrize("place", ANOTHER_WAY)
async def test_another_way_to_an_operation_is_one_request(client: ConfidentAI, emulator: Emulator, place: str) -> None:
    """`whoami`, `find`, and a walk over a single page send one request, of the operation that they are for."""
    objects = {"client": client, "organization": client.organization(), "project": await new_project(client)}
    (policy, *_) = await done(client.organization().governance.policies.list())
    # What is looked for need not be there.
    known = {"name": "Somewhere", "email": "somebody@acme.example", "policy_id": policy.id}
    method = method_at(objects, place)
    arguments = {name: known[name] for name in inspect.signature(method).parameters if name in known}
    is_walk = place.rpartition(".")[2].startswith("iter")
    with sent_to(emulator) as sent:
        await (everything(method(**arguments)) if is_walk else done(method(**arguments)))
    assert sent == {OPERATIONS[ANOTHER_WAY[place]]: 1}


@pytest.mark.parametrize("place", LOOKS_FIRST)
async def test_what_looks_first_is_two_requests(client: ConfidentAI, emulator: Emulator, place: str) -> None:
    """A call that reads first reads once what it then changes, and one that is told not to sends one request."""
    one, other = await new_project(client, "One"), await new_project(client, "Other")
    keys = client.organization().api_keys
    first, second = [(await done(keys.create("CI"))).id for _ in range(2)]
    calls: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "project.delete": (
            lambda: one.delete(expect_name="One"),
            lambda: other.delete(),
        ),
        "organization.api_keys.update": (
            lambda: keys.update(first, valid=False),
            lambda: keys.update(second, valid=False, allow_self=True),
        ),
        "organization.api_keys.delete": (
            lambda: keys.delete(first),
            lambda: keys.delete(second, allow_self=True),
        ),
    }
    look_first, do_at_once = calls[place]
    with sent_to(emulator) as sent:
        await done(look_first())
    assert sent == {LOOKS_FIRST[place][1]: 1, OPERATIONS[place]: 1}
    with sent_to(emulator) as sent:
        await done(do_at_once())
    assert sent == {OPERATIONS[place]: 1}


async def test_what_is_no_call_sends_nothing(face: type[ConfidentAI], emulator: Emulator, accepted: list[int]) -> None:
    """To make a view, a resource, a walk or a rotation, and to close a client, sends nothing, and does not connect."""
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        view = client.with_options(timeout=5)
        for place in (view.organization(), view.project("prj-1")):
            place.members.iter()
            place.api_keys.rotate(1)
        view.organization().governance.policies.iter_projects("policy")
    assert emulator.calls == []
    assert accepted == []
