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
    """What a module imports of the package when it is loaded, but for what only a type checker reads."""
    here = name.split(".") if path.name == "__init__.py" and name != "__init__" else name.split(".")[:-1]
    known = modules()
    for node in loaded_with(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level + 1] + (node.module.split(".") if node.module else [])
            for alias in node.names:
                whole = ".".join([*base, alias.name])
                yield whole if whole in known else ".".join(base) or "__init__"


def loaded_with(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run when a module is loaded."""
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node


def room(name: str) -> str:
    """The room, or the module on the ground floor, that a module is in."""
    return name.partition(".")[0]


@pytest.mark.parametrize("name", [name for name in modules() if room(name) not in BESIDE and name != "__init__"])
def test_imports_run_down(name: str) -> None:
    """A module imports nothing of a higher floor, and nothing of another room of its own, unless it is the ground."""
    floor_of = {each: number for number, floor in enumerate(FLOORS) for each in floor}
    mine = floor_of[room(name)]
    for other in imports(name, modules()[name]):
        theirs = floor_of[room(other)]
        assert theirs <= mine, f"{name} imports {other}, which is higher up"
        assert theirs < mine or room(other) == room(name) or mine < 3, f"{name} imports {other} next door"


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
