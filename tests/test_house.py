"""The house: its floors, which way imports run, and where a version of the API is spoken of."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import re
import textwrap
from collections.abc import Iterable, Iterator
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

#: Where a version of the API is spoken of in code.
OF_VERSIONS = {"_api/v1.py", "_api/v2.py", "emulator/_contract/v1.py", "emulator/_contract/v2.py"}

#: What decides and does nothing: it needs no room in which something is sent, not even by another module.
PURE = ["_api", "_operations", "models", "_jobs.matching", "_jobs.onboarding_plan", "_jobs.system_roles"]

#: What plays with it, as users do.
PLAYS = {"demo", "_codegen"}


@functools.cache
def modules() -> dict[str, Path]:
    """All modules of the package, by their names in it."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """A module, parsed."""
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def nodes_in(tree: ast.AST) -> tuple[ast.AST, ...]:
    """All parts of a module."""
    return tuple(ast.walk(tree))


def imports(name: str, path: Path) -> Iterator[str]:
    """What a module imports of the package, when it is loaded or later, but for what only a type checker reads."""
    here = name.split(".") if path.name == "__init__.py" and name != "__init__" else name.split(".")[:-1]
    for node in that_run(tree_of(path)):
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


@pytest.mark.parametrize("name", PURE)
def test_what_is_pure_sends_nothing(name: str) -> None:
    """A module that only decides awaits nothing, and reaches no module that sends."""
    reached = {each for each in modules() if each == name or each.startswith(f"{name}.")}
    for each in reached:
        assert not [
            node for node in ast.walk(tree_of(modules()[each])) if isinstance(node, (ast.AsyncFunctionDef, ast.Await))
        ]
    while more := {other for each in reached for other in imports(each, modules()[each])} - reached:
        reached |= more
    assert not [each for each in reached if room(each) in ("_http", "_portal", "_async", "_sync")]


def test_a_version_is_spoken_of_in_its_table_alone() -> None:
    """No text in the code has a version's paths, but for docstrings, which have whole paths."""
    found = set()
    for name, path in modules().items():
        if room(name) in PLAYS:
            continue
        tree = tree_of(path)
        docstrings = {
            id(node.body[0].value)
            for node in nodes_in(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in nodes_in(tree):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
            if is_text and ("/v1" in ast.unparse(node) or "/v2" in ast.unparse(node)):
                found.add(str(path.relative_to(PACKAGE).as_posix()))
    assert found == OF_VERSIONS


# Private names of libraries -------------------------------------------------------------------------------------------

#: Where they stand.
OF_LIBRARIES = "_private_names"

#: Names that only look private: their libraries document them.
DOCUMENTED = {"_thread", "_getframe", "_replace"}

#: The functions that touch an attribute by its name.
BY_NAME = {"getattr", "setattr", "hasattr", "delattr"}

#: What Python itself puts into classes that are made of some of its own.
SET_BY_PYTHON = {"_abc_impl", "_is_protocol", "_is_runtime_protocol"}

DOTTED = re.compile(r"[A-Za-z]\w*(\.\w+)+")


def is_private(name: str) -> bool:
    """Whether a name, or a part of a dotted one, begins with one underscore, as ``_name_`` does not."""
    return any(re.match(r"_(?!_).*(?<!_)$", part) and part not in DOCUMENTED for part in name.split("."))


@functools.cache
def own_methods() -> frozenset[str]:
    """What the package itself calls its functions, classes and modules."""
    names = {part for name in modules() for part in name.split(".")}
    for path in modules().values():
        for node in nodes_in(tree_of(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(node.name)
    return frozenset(names)


@functools.cache
def own_attributes(tree: ast.AST) -> frozenset[str]:
    """What a module sets on its own objects, or names in its classes."""
    return frozenset(
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in nodes_in(tree)
        if isinstance(node, (ast.Attribute, ast.Name)) and isinstance(node.ctx, ast.Store)
    )


def of_libraries(tree: ast.AST) -> set[str]:
    """The names that a module imports from others than the package."""
    found = {"super"}
    for node in nodes_in(tree):
        if isinstance(node, ast.Import):
            found |= {each.asname or each.name.partition(".")[0] for each in node.names if not is_ours(each.name)}
        elif isinstance(node, ast.ImportFrom) and not node.level and not is_ours(node.module or ""):
            found |= {each.asname or each.name for each in node.names}
    return found


def first_name(node: ast.AST) -> str:
    """What an expression like ``name.attribute`` or ``name(...)[0].attribute`` begins with."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def private_names_of_libraries(tree: ast.AST, *, looks_into: Iterable[Path] = ()) -> Iterator[str]:
    """What of the libraries' own a module touches, as attributes, by ``getattr``, in imports and in dotted texts.

    ``looks_into`` are the modules whose objects have attributes that it may touch, beside its own.
    """
    foreign = of_libraries(tree)
    ours = own_methods().union(own_attributes(tree), *(own_attributes(tree_of(path)) for path in looks_into))
    for node in nodes_in(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if is_private(each.name) and not is_ours(each.name))
        elif isinstance(node, ast.ImportFrom) and not node.level and not is_ours(node.module or ""):
            whole = [f"{node.module}.{each.name}" for each in node.names]
            yield from (name for name in whole if node.module != "__future__" and is_private(name))
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            if node.attr not in ours or first_name(node) in foreign:
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BY_NAME:
            name = ast.literal_eval(node.args[1]) if isinstance(node.args[1], ast.Constant) else ""
            if is_private(name) and (name not in ours or first_name(node.args[0]) in foreign):
                yield ast.unparse(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and DOTTED.fullmatch(node.value):
            library = node.value.partition(".")[0]
            if is_private(node.value) and not is_ours(library) and importlib.util.find_spec(library):
                yield node.value


def test_private_names_of_libraries_stand_in_one_module() -> None:
    """No other module touches what a library keeps to itself: each such name has its reason, and an end."""
    found = set()
    plugin = PACKAGE.parent / "confidentai_admin_pytest.py"
    core = [path for name, path in modules().items() if room(name) in ("_async", "_http")]
    for path in [*modules().values(), plugin]:
        looks_into = core if path == plugin or path.parent.name == "_sync" else []
        tree = tree_of(path)
        found |= {(path.stem, name) for name in private_names_of_libraries(tree, looks_into=looks_into)}
    assert {(module, name) for module, name in found if module != OF_LIBRARIES} == set()


def test_no_class_replaces_a_private_method_of_a_library() -> None:
    """A class that inherits from a library's calls nothing as the library calls something of its own."""
    for name in modules():
        if room(name) == "_codegen" or name.endswith("__main__"):
            continue
        module = importlib.import_module(f"{PACKAGE.name}.{name}" if name != "__init__" else PACKAGE.name)
        for made in [each for each in vars(module).values() if isinstance(each, type)]:
            if made.__module__ != module.__name__:
                continue
            theirs = [base for base in made.__mro__ if not is_ours(base.__module__) and base is not object]
            names = {each for each in vars(made) if is_private(each) and any(each in vars(base) for base in theirs)}
            assert not names - SET_BY_PYTHON, f"{name}.{made.__name__} has {names}"


def test_every_way_to_a_private_name_is_seen() -> None:
    """Also by a name of a library's object, in a text, or on what is inherited; a name of the package's own is none."""
    source = """
    import threading
    import asyncio.coroutines as coroutines, anyio._core._eventloop
    from aiohttp import ClientSession as Session, TCPConnector, _version
    from aiohttp._http_parser import HttpRequestParser
    from __future__ import annotations
    from ._settings import Timeout

    class Connector(TCPConnector):
        def close(self, session, other):
            self._used = set()
            self._used, self._conns, other._is_for()
            session._middlewares, session._loop, threading._shutdown(), super()._close()
            getattr(coroutines, "_is_coroutine", None), getattr(self, "_used")
            importlib.import_module("anyio._backends._asyncio"), "confidentai_admin._settings"
            point._replace(x=1), sys._getframe(1), self.__dict__
    """
    assert sorted(private_names_of_libraries(ast.parse(textwrap.dedent(source)))) == [
        "aiohttp._http_parser.HttpRequestParser",
        "aiohttp._version",
        "anyio._backends._asyncio",
        "anyio._core._eventloop",
        "getattr(coroutines, '_is_coroutine', None)",
        "self._conns",
        "session._loop",
        "session._middlewares",
        "super()._close",
        "threading._shutdown",
    ]


def test_each_private_name_has_its_line_in_the_docs() -> None:
    """The table of ``docs/architecture.md`` has the names that the module touches, and no others."""
    path = PACKAGE.parent / "docs" / "architecture.md"
    _, _, section = path.read_text(encoding="utf-8").partition("## Private names of libraries\n")
    told = {name.rpartition(".")[2] for name in re.findall(r"(?m)^\| `([\w.]+)`", section.partition("\n## ")[0])}
    module = tree_of(modules()[OF_LIBRARIES])
    touched = {re.findall(r"\b_[a-z]\w*", name)[-1] for name in private_names_of_libraries(module)}
    assert told == touched - {"_is_owned"}  # a method of what another name stands for


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
