"""The house: its floors, which way imports run, and where a version of the API is spoken of."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

import confidentai_admin

PACKAGE = Path(confidentai_admin.__file__).parent

#: The rooms, from the ground up. What is on a floor knows those below it.
FLOORS = [
    ["_version", "errors", "_fork", "_private_names", "_command"],
    ["_surroundings", "_settings", "_callbacks", "_server_words", "_instances", "_reporting", "_arguments", "_secrets"],
    ["models"],
    ["_api"],
    ["_operations", "_http"],
    ["_jobs"],
    ["_async", "_portal"],
    ["_sync"],
]

#: What is beside the client: a user of its public names, the servers of tests, and the generator.
BESIDE = {"demo", "emulator", "_codegen"}

#: Where the API's first version is spoken of in code.
OF_V1 = {"_api/v1.py", "emulator/_contract/v1.py"}

#: What plays with it, as users do.
PLAYS = {"demo", "_codegen"}


@functools.cache
def modules() -> dict[str, Path]:
    """All modules of the package, by their names in it."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def imports(name: str, path: Path) -> Iterator[str]:
    """What a module imports of the package, when it is loaded or later, but for what only a type checker reads."""
    here = name.split(".") if path.name == "__init__.py" and name != "__init__" else name.split(".")[:-1]
    for node in that_run(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = here[: len(here) - node.level + 1] + (node.module.split(".") if node.module else [])
            elif is_ours(node.module or ""):
                base = (node.module or "").split(".")[1:]
            else:
                continue
            for alias in node.names:
                yield module_of([*base, alias.name])
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if is_ours(alias.name):
                    yield module_of(alias.name.split(".")[1:])


def is_ours(dotted: str) -> bool:
    """Whether a whole name is of the package."""
    return dotted.partition(".")[0] == PACKAGE.name


def module_of(parts: list[str]) -> str:
    """The module that an imported name is, or is in."""
    known = modules()
    return ".".join(parts) if ".".join(parts) in known else ".".join(parts[:-1]) or "__init__"


def that_run(node: ast.AST) -> Iterator[ast.AST]:
    """A part of a module and all parts of it that run, when it is loaded or later."""
    yield node
    is_for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    for child in node.orelse if is_for_types and isinstance(node, ast.If) else ast.iter_child_nodes(node):
        yield from that_run(child)


def room(name: str) -> str:
    """The room, or the module on the ground floor, that a module is in."""
    return name.partition(".")[0]


@pytest.mark.parametrize("name", [name for name in modules() if room(name) not in BESIDE and name != "__init__"])
def test_imports_run_down(name: str) -> None:
    """A module imports nothing of a higher floor, and nothing of another room of its own, unless it is the ground."""
    floor_of = {each: number for number, floor in enumerate(FLOORS) for each in floor}
    mine = floor_of[room(name)]
    for other in imports(name, modules()[name]):
        assert room(other) in floor_of, f"{name} imports {other}, which is beside the client"
        theirs = floor_of[room(other)]
        assert theirs <= mine, f"{name} imports {other}, which is higher up"
        assert theirs < mine or room(other) == room(name) or mine < 3, f"{name} imports {other} next door"


@pytest.mark.parametrize("name", [name for name in modules() if room(name) in BESIDE - {"emulator"}])
def test_what_is_beside_the_client_uses_public_names(name: str) -> None:
    """The demo imports what users do, and how a command ends; the generator imports nothing that it writes or reads."""
    allowed = {"demo": {"__init__", "emulator", "_command"}, "_codegen": {"_codegen"}}[room(name)]
    assert {room(other) for other in imports(name, modules()[name])} <= allowed


def test_every_form_of_import_is_seen(tmp_path: Path) -> None:
    """A whole name counts as one that begins with a dot, and one in a function as one at the top of a module."""
    path = tmp_path / "members.py"
    path.write_text("""
from typing import TYPE_CHECKING
import confidentai_admin._jobs.many as many, asyncio
from .roles import AsyncRoles
from confidentai_admin import _settings, ConfidentAI
if TYPE_CHECKING:
    from .._sync import client
else:
    from .._http import pool
class Members:
    from .. import errors
    def list(self):
        if TYPE_CHECKING:
            import confidentai_admin._sync.members
        import confidentai_admin.models.member
        from confidentai_admin._portal.portal import Portal
""")
    assert sorted(imports("_async.members", path)) == [
        "__init__",
        "_async.roles",
        "_http.pool",
        "_jobs.many",
        "_portal.portal",
        "_settings",
        "errors",
        "models.member",
    ]


def test_no_circle() -> None:
    """No module needs itself, by whichever way."""
    needs = {name: set(imports(name, path)) - {name} for name, path in modules().items()}
    done: set[str] = set()
    while ready := {name for name, needed in needs.items() if name not in done and needed <= done}:
        done |= ready
    left = {name: sorted(needed - done) for name, needed in needs.items() if name not in done}
    assert not left


def test_a_version_is_spoken_of_in_its_table_alone() -> None:
    """No text in the code has a version's paths, but for docstrings, which have whole paths."""
    found = set()
    for name, path in modules().items():
        if room(name) in PLAYS:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
            if is_text and ("/v1" in ast.unparse(node) or "/v2" in ast.unparse(node)):
                found.add(str(path.relative_to(PACKAGE).as_posix()))
    assert found == OF_V1


# The emulator's own house ---------------------------------------------------------------------------------------------

#: The emulator's rooms and modules, from the ground up.
EMULATORS_FLOORS = [
    ["clock", "refusal"],
    ["_rules", "_contract"],
    ["_shown"],
    ["product", "faults"],
    ["seed"],
    ["_http"],
    ["server"],
    ["__init__"],
    ["__main__"],
]

#: What the emulator uses of the package around it.
GROUND = {"_surroundings", "_command"}


@pytest.mark.parametrize("name", [name for name in modules() if room(name) == "emulator"])
def test_the_emulators_imports_run_down(name: str) -> None:
    """Its rules know no HTTP, no version, and not how a record is shown; the server stands on all of them."""
    floor_of = {each: number for number, floor in enumerate(EMULATORS_FLOORS) for each in floor}
    mine = room(name.partition(".")[2] or "__init__")
    for other in imports(name, modules()[name]):
        if room(other) != "emulator":
            assert other in GROUND, f"{name} imports {other}"
            continue
        theirs = room(other.partition(".")[2] or "__init__")
        assert theirs == mine or floor_of[theirs] < floor_of[mine], f"{name} imports {other}"
        assert mine != "_shown" or theirs in ("_shown", "_rules", "clock"), f"{name} imports {other}"
