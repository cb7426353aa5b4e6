"""Each form of a method that the facade has: that every method has one of them, and what each does, on both faces.

What is shown of one method of a form on both faces holds for all of that form, so a long matrix needs only one face.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import confidentai_admin
from confidentai_admin import ConfidentAI, ConfigurationError, NotFoundError, RotatedKey
from confidentai_admin.emulator import Emulator

from ..jobs.key_watch import entered
from .faces import done, everything, opened

pytestmark = pytest.mark.both_faces

FACADE = Path(confidentai_admin.__file__).parent / "_sync"

#: What the generator writes into classes of its own kinds, whatever the core's methods are.
PROTOCOLS = {"__init__", "__enter__", "__exit__", "__iter__", "__next__", "_bind", "_view"}


def methods() -> Iterator[tuple[str, ast.FunctionDef]]:
    """All methods of the facade, with their places."""
    for path in sorted(FACADE.glob("*.py")):
        for class_ in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(class_, ast.ClassDef):
                for method in class_.body:
                    if isinstance(method, ast.FunctionDef):
                        yield f"{path.name}: {class_.name}.{method.name}", method


def passed(call: ast.Call) -> list[str]:
    """The arguments of a call as they are written, a callback for the core counting as the function that it is of."""
    written = [ast.unparse(each) for each in call.args] + [
        f"{each.arg}={ast.unparse(each.value)}" for each in call.keywords
    ]
    return [re.sub(r"self\._portal\.callback\('(\w+)', \1\)", r"\1", each) for each in written]


def form_of(method: ast.FunctionDef) -> str:
    """The form of a method, which passes all of its arguments on, unchanged and under their names."""
    body = method.body[1:] if ast.get_docstring(method) is not None else method.body
    text = "\n".join(map(ast.unparse, body))
    given = [each.arg for each in method.args.args[1:]] + [f"{each.arg}={each.arg}" for each in method.args.kwonlyargs]
    if method.name == "close":
        return "close" if text == "if not self._is_view:\n    self._portal.close()" else "unknown"
    if method.name == "__repr__":
        return "repr"
    if any(ast.unparse(each) == "property" for each in method.decorator_list):
        return "property" if text == f"return self._core.{method.name}" else "unknown"
    (statement,) = body
    call = statement.value if isinstance(statement, ast.Return) else None
    if not isinstance(call, ast.Call):
        return "unknown"
    if ast.unparse(call.func) == "self._portal.call":
        is_whole = passed(call) == [f"self._core.{method.name}", *given]
        return ("callbacks" if "self._portal.callback(" in text else "call") if is_whole else "unknown"
    inner, *rest = call.args
    portal = [] if ast.unparse(call.func) == "self._view" else ["self._portal"]  # which a view has from its client
    is_whole = isinstance(inner, ast.Call) and passed(inner) == given and list(map(ast.unparse, rest)) == portal
    is_own = isinstance(inner, ast.Call) and ast.unparse(inner.func) == f"self._core.{method.name}"
    return "object" if is_whole and is_own and not call.keywords else "unknown"


def test_every_method_has_one_of_the_forms() -> None:
    """Each generated method hands all of its arguments, as they are, to the core's method of its name."""
    forms = {place: form_of(method) for place, method in methods() if method.name not in PROTOCOLS}
    assert [place for place, form in forms.items() if form == "unknown"] == []
    assert Counter(forms.values()).keys() == {"call", "callbacks", "object", "property", "close", "repr"}


@pytest.mark.parametrize(
    "source",
    [
        "def get(self, a):\n    return self._portal.call(self._core.list, a)",
        "def get(self, a, *, b=1):\n    return self._portal.call(self._core.get, a)",
        "def get(self, *, a, b):\n    return self._portal.call(self._core.get, a=b, b=a)",
        "def get(self, a):\n    return Thing(self._core.get(), self._portal)",
        "def get(self, a):\n    return Thing(self._core.list(a), self._portal)",
        "@property\ndef get(self):\n    return self._core.list",
        "def close(self):\n    self._portal.close()",
    ],
)
def test_what_is_of_no_form_is_noticed(source: str) -> None:
    """A method that calls another one, or leaves an argument out, has none of the forms."""
    (method,) = ast.parse(source).body
    assert isinstance(method, ast.FunctionDef)
    assert form_of(method) == "unknown"


# What each form does --------------------------------------------------------------------------------------------------


async def test_a_call(client: ConfidentAI) -> None:
    """A call has a result, or an error."""
    created = await done(client.projects.create("Checkout", description="The till"))
    assert (created.project.name, created.project.description) == ("Checkout", "The till")
    with pytest.raises(NotFoundError):
        await done(client.project("nothing").get())


async def test_a_call_with_callbacks(client: ConfidentAI) -> None:
    """A function of the user's is called with what the core gives it, and an error of it comes out in the report."""
    created = (await done(client.projects.create("Checkout"))).project
    stored: list[RotatedKey] = []
    report = await done(client.projects.rotate_keys([created.id], key="Default Key", store=stored.append))
    report.raise_for_failures()
    assert [rotated.project_id for rotated in stored] == [created.id]

    def fail(rotated: RotatedKey) -> None:
        raise KeyError("vault")

    report = await done(client.projects.rotate_keys([created.id], key="Default Key", store=fail))
    assert isinstance(report[0].error, KeyError)


async def test_an_object(client: ConfidentAI) -> None:
    """What is no call gives an object of the same face, an iterator and a block among them."""
    project = client.project((await done(client.projects.create("Checkout"))).project.id)
    assert (await done(project.get())).name == "Checkout"
    members = await everything(client.organization().members.iter(page_size=1))
    assert members == list(await done(client.organization().members.list()))
    (key,) = await done(project.api_keys.list())
    async with entered(project.api_keys.rotate(key.id)) as rotation:
        new = rotation.new_key
    assert [(each.id, each.valid) for each in await done(project.api_keys.list())] == [(key.id, False), (new.id, True)]


async def test_a_property_a_repr_and_an_end(face: type[ConfidentAI], emulator: Emulator) -> None:
    """What the core holds is read as it is; a closed client makes no more calls, and a closed view closes nothing."""
    async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
        assert client.base_url == emulator.url
        assert emulator.api_key not in repr(client)
        await done(client.with_options(timeout=5).close())  # type: ignore[func-returns-value]
        await done(client.whoami())
        await done(client.close())  # type: ignore[func-returns-value]
        with pytest.raises(ConfigurationError, match="closed"):
            await done(client.whoami())
