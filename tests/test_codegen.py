"""The generator of the blocking facade."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import pytest

import confidentai_admin
from confidentai_admin._codegen.__main__ import main

PACKAGE = Path(confidentai_admin.__file__).parent


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the core and of its facade."""
    for name in ("_async", "_sync"):
        shutil.copytree(PACKAGE / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "_async", tmp_path / "_sync"


def _run(folders: tuple[Path, Path], *arguments: str) -> int:
    core, facade = folders
    return main([*arguments, "--core", str(core), "--facade", str(facade)])


def test_the_committed_facade_is_current() -> None:
    """What is committed is what the generator writes."""
    assert main(["--check"]) == 0


def test_check_fails_on_a_stale_file(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A file with one other character fails the check, by its name, and is not touched."""
    stale = folders[1] / "roles.py"
    stale.write_text(stale.read_text().replace("List the roles", "List the rules"))
    assert _run(folders, "--check") == 1
    assert "_sync/roles.py is stale" in capsys.readouterr().err
    assert "List the rules" in stale.read_text()


def test_check_fails_on_an_extra_file(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A file that nothing generates fails the check."""
    (folders[1] / "extra.py").write_text("")
    assert _run(folders, "--check") == 1
    assert "_sync/extra.py should not be there" in capsys.readouterr().err


def test_check_fails_on_a_missing_file(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not there fails the check."""
    (folders[1] / "roles.py").unlink()
    assert _run(folders, "--check") == 1
    assert "_sync/roles.py is missing" in capsys.readouterr().err


def test_check_fails_when_the_core_has_moved_on(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A changed docstring in the core makes its facade stale."""
    core = folders[0] / "roles.py"
    core.write_text(core.read_text().replace("List the roles", "List all roles"))
    assert _run(folders, "--check") == 1
    assert capsys.readouterr().err.startswith("_sync/roles.py is stale\n")


def test_writing_mends_everything(folders: tuple[Path, Path]) -> None:
    """After a run, stale, extra and missing files are as they should be."""
    (folders[1] / "roles.py").write_text("stale")
    (folders[1] / "extra.py").write_text("")
    (folders[1] / "members.py").unlink()
    assert _run(folders) == 0
    assert _run(folders, "--check") == 0


def test_a_new_method_needs_no_more_than_a_run(folders: tuple[Path, Path]) -> None:
    """A method added to the core is in the facade after a run: blocking, with its signature and docstring."""
    core, facade = folders
    with (core / "permissions.py").open("a") as stream:
        stream.write(
            textwrap.dedent('''

            class AsyncThings:
                """Things."""

                def __init__(self, transport: Transport) -> None:
                    self.permissions = AsyncOrganizationPermissions(transport)

                async def count(
                    self,
                    name: str,
                    *,
                    deep: bool = False,  # down to the bottom
                ) -> builtins.list[int]:
                    """Count them: ``await things.count("x")``."""
                    return [len(name)]
            ''')
        )
    assert _run(folders) == 0
    assert (
        (facade / "permissions.py")
        .read_text()
        .endswith(
            textwrap.dedent('''\
        class Things:
            """Things."""

            def __init__(self, core: _core.AsyncThings, portal: Portal) -> None:
                self._core = core
                self._portal = portal
                self.permissions = OrganizationPermissions(core.permissions, portal)

            def count(
                self,
                name: str,
                *,
                deep: bool = False,  # down to the bottom
            ) -> builtins.list[int]:
                """Count them: ``things.count("x")``."""
                return self._portal.call(self._core.count, name, deep=deep)
        ''')
        )
    )


def test_a_child_that_a_class_tells_of_is_told_of_in_the_facade(folders: tuple[Path, Path]) -> None:
    """What stands on a class of the core for a child of its instances stands on the blocking class as well."""
    core, facade = folders
    source = (core / "permissions.py").read_text()
    source = source.replace("import builtins\n", "import builtins\nfrom .._instances import child\n", 1)
    (core / "permissions.py").write_text(
        source
        + _things(
            "permissions: AsyncOrganizationPermissions = child(AsyncOrganizationPermissions)",
            "def __init__(self, transport: Transport) -> None:",
            "    self.permissions = AsyncOrganizationPermissions(transport)",
        )
    )
    assert _run(folders) == 0
    text = (facade / "permissions.py").read_text()
    assert "from .._instances import child\n" in text
    assert "    permissions: OrganizationPermissions = child(OrganizationPermissions)\n" in text


def test_a_context_manager_needs_no_more_than_a_run(folders: tuple[Path, Path]) -> None:
    """What is for `async with` in the core is for `with` in the facade, and the method that gives it wraps it."""
    core, facade = folders
    (core / "visits.py").write_text(
        textwrap.dedent('''\
        """Visits."""

        from __future__ import annotations

        from types import TracebackType

        from ..models import ApiKey


        class AsyncVisit:
            """A visit: ``async with places.visit() as visit:``."""

            def __init__(self, length: int) -> None:
                self._length = length

            async def __aenter__(self) -> AsyncVisit:
                return self

            async def __aexit__(
                self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
            ) -> None:
                await self.leave()

            @property
            def key(self) -> ApiKey:
                """The key of the house."""
                raise NotImplementedError

            async def leave(self) -> None:
                """Leave: ``await visit.leave()``."""


        class AsyncPlaces:
            """Places."""

            def visit(self, length: int = 1) -> AsyncVisit:
                """Visit one."""
                return AsyncVisit(length)
        ''')
    )
    assert _run(folders) == 0
    assert (
        (facade / "visits.py")
        .read_text()
        .endswith(
            textwrap.dedent('''\
        from __future__ import annotations

        from types import TracebackType

        from .._async import visits as _core
        from .._portal.portal import Portal
        from ..models import ApiKey


        class Visit:
            """A visit: ``with places.visit() as visit:``."""

            def __init__(self, core: _core.AsyncVisit, portal: Portal) -> None:
                self._core = core
                self._portal = portal

            def __enter__(self) -> Visit:
                self._portal.call(self._core.__aenter__)
                return self

            def __exit__(
                self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
            ) -> None:
                self._portal.leave(self._core.__aexit__, kind, error, traceback)

            @property
            def key(self) -> ApiKey:
                """The key of the house."""
                return self._core.key

            def leave(self) -> None:
                """Leave: ``visit.leave()``."""
                return self._portal.call(self._core.leave)


        class Places:
            """Places."""

            def __init__(self, core: _core.AsyncPlaces, portal: Portal) -> None:
                self._core = core
                self._portal = portal

            def visit(self, length: int = 1) -> Visit:
                """Visit one."""
                return Visit(self._core.visit(length), self._portal)
        ''')
        )
    )


@pytest.mark.parametrize("default", ["", " | None = None"], ids=["required", "optional"])
def test_a_users_function_is_handed_over(folders: tuple[Path, Path], default: str) -> None:
    """A function that the user gives is passed as the portal calls it, which is not in the loop's thread."""
    core, facade = folders
    source = (core / "permissions.py").read_text()
    source = source.replace("import builtins\n", "import builtins\nfrom collections.abc import Callable\n", 1)
    kind = f"Callable[[int], object]{default}"
    (core / "permissions.py").write_text(
        source
        + _things(
            f"async def walk(self, first: {kind}, *, each: {kind}, size: int = 1) -> int:",
            "    '''D.'''",
            "    return 1",
        )
    )
    assert _run(folders) == 0
    text = (facade / "permissions.py").read_text()
    assert "from collections.abc import Callable\n" in text
    call = "".join(text[text.index("def walk(") :].split())
    passed = 'self._portal.callback("first",first),each=self._portal.callback("each",each),size=size'
    assert f"returnself._portal.call(self._core.walk,{passed}" in call


def test_what_a_users_function_gives_is_not_awaited(folders: tuple[Path, Path]) -> None:
    """A function whose result the core awaits or takes as it is has a plain result in the facade."""
    core, facade = folders
    source = (core / "permissions.py").read_text()
    imports = "from collections.abc import Awaitable, Callable\n"
    (core / "permissions.py").write_text(
        source.replace("import builtins\n", f"import builtins\n{imports}", 1)
        + _things(
            "async def walk(self, each: Callable[[str], int | Awaitable[int | None] | None] | None = None) -> int:",
            "    '''D.'''",
            "    return 1",
        )
    )
    assert _run(folders) == 0
    text = (facade / "permissions.py").read_text()
    assert "def walk(self, each: Callable[[str], int | None] | None = None) -> int:" in text
    assert 'self._portal.call(self._core.walk, self._portal.callback("each", each))' in text
    assert "Awaitable" not in text


def _things(*lines: str) -> str:
    return "\n    ".join(["class AsyncThings:", "'''D.'''", *lines, ""])


REFUSED = {
    "a function": "def public() -> None:\n    '''D.'''\n",
    "a class by another name": "class Things:\n    '''D.'''\n",
    "a decorated class": f"@attrs.frozen\n{_things()}",
    "a class without docstring": "class AsyncThings:\n    x = 1\n",
    "a class attribute": _things("x = 1"),
    "a class attribute with a type": _things("x: int = 1"),
    "a child of another kind": _things("x: AsyncX = AsyncX()"),
    "a child that no instance makes": _things("x: AsyncX = child(AsyncX)"),
    "a resource that gives itself": _things("def get(self) -> Self:", "    '''D.'''"),
    "a public attribute of another kind": _things("def __init__(self) -> None:", "    self.x = 1"),
    "a method without docstring": _things("async def get(self) -> int:", "    return 1"),
    "a method without types": _things("async def get(self, x) -> int:", "    '''D.'''"),
    "a method without result": _things("async def get(self):", "    '''D.'''"),
    "any arguments": _things("async def get(self, *x: int) -> int:", "    '''D.'''"),
    "an async generator": _things("async def get(self) -> int:", "    '''D.'''", "    yield 1"),
    "a plain method": _things("def get(self) -> int:", "    '''D.'''"),
    "a static method": _things("@staticmethod", "def get() -> int:", "    '''D.'''"),
    "an async method that gives a resource": _things("async def get(self) -> AsyncThings:", "    '''D.'''"),
    "a resource that is none": _things("def get(self) -> AsyncOther:", "    '''D.'''"),
    "attributes in one go": _things("def __init__(self) -> None:", "    self.x, self.y = AsyncX(), AsyncY()"),
    "a context manager with another magic method": _things(
        "async def __aenter__(self) -> AsyncThings:", "    return self", "def __len__(self) -> int:", "    return 1"
    ),
    "another magic method": _things("def __len__(self) -> int:", "    return 1"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_understood_is_refused(
    what: str, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """A thing without a rule ends the run, by file and line, and writes nothing."""
    (folders[0] / "things.py").write_text(f'"""Things."""\n\n{REFUSED[what]}')
    before = sorted(path.name for path in folders[1].iterdir())
    assert _run(folders) == 1
    assert "things.py:" in capsys.readouterr().err
    assert sorted(path.name for path in folders[1].iterdir()) == before


def test_attributes_of_a_subclass_are_refused(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A class with a base in the core would lose its own attributes in the facade: it is refused, by its line."""
    with (folders[0] / "permissions.py").open("a") as stream:
        source = _things("def __init__(self) -> None:", "    self.more = AsyncProjectPermissions(None, '')")
        stream.write(source.replace("AsyncThings", "AsyncThings(AsyncPermissions)"))
    assert _run(folders) == 1
    assert re.search(r"permissions\.py:\d\d: a class with a base", capsys.readouterr().err)


def test_a_file_in_a_folder_is_extra_too(folders: tuple[Path, Path]) -> None:
    """A stray file below the facade's folder is removed, whatever its name, and nothing else is touched."""
    (folders[1] / "sub folder").mkdir()
    (folders[1] / "sub folder" / "client.py").write_text("")
    assert _run(folders, "--check") == 1
    assert _run(folders) == 0
    assert not (folders[1] / "sub folder" / "client.py").exists()
    assert _run(folders, "--check") == 0


def test_close_of_a_resource_is_a_call(folders: tuple[Path, Path]) -> None:
    """Only the client's own close ends the portal."""
    with (folders[0] / "permissions.py").open("a") as stream:
        stream.write(_things("async def close(self) -> None:", "    '''D.'''"))
    assert _run(folders) == 0
    assert "return self._portal.call(self._core.close)" in (folders[1] / "permissions.py").read_text()


def test_a_module_without_docstring_is_refused(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Every module of the core says what it is about."""
    (folders[0] / "things.py").write_text("import builtins\n")
    assert _run(folders) == 1
    assert "there is no docstring" in capsys.readouterr().err


def test_two_things_of_one_name_are_refused(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A class whose blocking name is that of a model it gives is refused, and not hidden by it."""
    (folders[0] / "things.py").write_text(
        '"""Things."""\n\nfrom ..models import Project\n\nclass AsyncProject:\n    """D."""\n'
        '    async def get(self) -> Project:\n        """D."""\n'
    )
    assert _run(folders) == 1
    assert "two things would have the name Project" in capsys.readouterr().err


def test_words_that_are_nowhere_are_refused(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A line of the table of words that applies nowhere ends the run, so that none outlives its use."""
    client = folders[0] / "client.py"
    client.write_text(client.read_text().replace("It belongs to one event loop at a time.", "It is bound to a loop."))
    assert _run(folders) == 1
    assert "these words are nowhere in the core" in capsys.readouterr().err


def test_no_asynchronous_word_is_left_in_the_facade() -> None:
    """Signatures and docstrings of the facade speak of no awaiting."""
    for path in (PACKAGE / "_sync").glob("*.py"):
        text = path.read_text()
        assert "await" not in text, path
        assert not re.search(r"\basync (def|with|for)\b", text), path


def test_every_file_says_where_it_comes_from() -> None:
    """The first three lines of every generated file name the tool, the source, and that it is not to be edited."""
    for path in (PACKAGE / "_sync").glob("*.py"):
        tool, source, warning = path.read_text().splitlines()[:3]
        assert "python -m confidentai_admin._codegen" in tool
        assert f"confidentai_admin/_async/{path.name}" in source
        assert "Do not edit" in warning


def test_without_its_formatter_it_says_so(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where ruff cannot be run, the run ends with a message and writes nothing."""
    monkeypatch.setattr("sys.executable", shutil.which("false") or "false")
    assert _run(folders) == 1
    assert "ruff cannot format" in capsys.readouterr().err
