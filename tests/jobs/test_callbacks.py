"""Callbacks of jobs that are no function, or not one of the kind that can be called: refused before any request."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock, Mock, create_autospec

import pytest

from confidentai_admin import ConfidentAI, DesiredProject
from confidentai_admin._callbacks import UselessCallbackError, check_callback, check_given
from confidentai_admin.emulator import Emulator

from ..operations.faces import done

pytestmark = pytest.mark.both_faces

JOBS: dict[str, Callable[[ConfidentAI, Any], Any]] = {
    "ensure_many, store": lambda client, it: client.projects.ensure_many([DesiredProject("one")], store=it),
    "ensure_many, on_progress": lambda client, it: client.projects.ensure_many([DesiredProject("one")], on_progress=it),
    "rotate_keys, store": lambda client, it: client.projects.rotate_keys(["p"], key="k", store=it),
    "rotate_keys, on_progress": lambda client, it: client.projects.rotate_keys(
        ["p"], key="k", store=print, on_progress=it
    ),
}


async def keep(given: object, place: str = "") -> None:
    """Never run."""


def keep_in_steps(given: object) -> Iterator[None]:
    """Run by nobody, whoever calls it."""
    yield


async def keep_in_async_steps(given: object) -> AsyncIterator[None]:
    """Run by nobody, whoever calls it."""
    yield


class Vault:
    """A vault whose own class was passed, and not a method of it."""

    def __init__(self, where: object = None) -> None:
        """A call of the class would succeed, and keep nothing."""

    async def __call__(self, given: object) -> None:
        """Never run."""

    async def keep(self, given: object) -> None:
        """Never run."""


class Stepwise:
    """An object whose call is a context manager."""

    @contextlib.contextmanager
    def __call__(self, given: object) -> Iterator[None]:
        """Entered by nobody."""
        yield


class Transaction(contextlib.ContextDecorator):
    """A block around a function, as frameworks have it for what a database keeps."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """End."""


def kept_in_a_loop(kept: list[Any]) -> Callable[[Any], None]:
    """A plain function made of an asynchronous one."""

    async def keep_it(given: object) -> None:
        kept.append(given)

    @functools.wraps(keep_it)
    def run(given: object) -> None:
        with contextlib.suppress(StopIteration):
            keep_it(given).send(None)

    return run


ASYNCHRONOUS: dict[str, Callable[[], object]] = {
    "async def": lambda: keep,
    "partial of one": lambda: functools.partial(keep, place="here"),
    "method": lambda: Vault().keep,
    "object with async __call__": Vault,
    "partial of that": lambda: functools.partial(Vault()),
    "AsyncMock": AsyncMock,
    "autospec of one": lambda: create_autospec(keep),
    "singledispatch of one": lambda: functools.singledispatch(keep),
}

NO_USE: dict[str, Callable[[], object]] = {
    "coroutine": lambda: keep("called already"),
    "generator function": lambda: keep_in_steps,
    "partial of one": lambda: functools.partial(keep_in_steps),
    "asynchronous generator function": lambda: keep_in_async_steps,
    "context manager": lambda: contextlib.contextmanager(keep_in_steps),
    "asynchronous context manager": lambda: contextlib.asynccontextmanager(keep_in_async_steps),
    "object with such a __call__": Stepwise,
    "singledispatch of one": lambda: functools.singledispatch(contextlib.contextmanager(keep_in_steps)),
    "class": lambda: Vault,
    "no arguments": lambda: lambda: None,
    "two arguments": lambda: lambda project, key: None,
    "text": lambda: "print",
    "module": lambda: pytest,
}


@pytest.mark.parametrize("kind", ASYNCHRONOUS)
def test_an_asynchronous_callback_of_a_blocking_client(kind: str, emulator: Emulator) -> None:
    """A blocking client refuses it by its name before any request, so that no key is made for nobody."""
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        for job, begin in JOBS.items():
            with pytest.raises(TypeError, match=f"^{job.split()[-1]} must be a plain function") as caught:
                begin(client, ASYNCHRONOUS[kind]())
            assert not hasattr(caught.value, "partial")
    assert emulator.calls == []


@pytest.mark.parametrize("kind", NO_USE)
async def test_a_callback_that_cannot_be_called_back(kind: str, client: ConfidentAI, emulator: Emulator) -> None:
    """What is no function, or does nothing with its argument when it is called, is refused before any request."""
    for job, begin in JOBS.items():
        with pytest.raises(TypeError, match=f"^{job.split()[-1]} must be a") as caught:
            await done(begin(client, NO_USE[kind]()))
        assert "must be" in str(caught.value)
    assert emulator.calls == []


async def test_store_that_is_needed_and_is_none(client: ConfidentAI, emulator: Emulator) -> None:
    """A rotation without a store (a `dict.get` that missed) is refused before any request."""
    with pytest.raises(TypeError, match=r"^store must be a function, not NoneType"):
        await done(client.projects.rotate_keys(["p"], key="k", store=None))  # type: ignore[arg-type]
    assert emulator.calls == []


async def test_callbacks_that_are_in_order(client: ConfidentAI, face: type[ConfidentAI]) -> None:
    """Functions, methods, partials, built-in functions, objects that can be called, and mocks are callbacks."""
    kept: list[Any] = []
    callbacks: list[Any] = [
        kept.append,
        functools.partial(lambda place, given: kept.append(given), "here"),
        lambda given, place="": kept.append(given),
        contextlib.contextmanager(lambda: iter([None]))()(kept.append),
        Transaction()(kept_in_a_loop(kept)),
        Mock(side_effect=kept.append),
        Mock(side_effect=kept.append).store,
        print,
    ]
    callbacks += [] if issubclass(face, ConfidentAI) else [make() for make in ASYNCHRONOUS.values()]
    for number, callback in enumerate(callbacks):
        wish = DesiredProject(f"tenant {number}")
        await done(client.projects.ensure_many([wish], store=callback, on_progress=callback))
    assert len(kept) >= 12


async def test_a_callback_that_turns_out_to_do_nothing(client: ConfidentAI, face: type[ConfidentAI]) -> None:
    """A function that gives what nobody runs, which cannot be seen before, stops the job at the first project."""
    wishes = [DesiredProject(f"tenant {number}") for number in range(60)]
    makers: list[Callable[[Any], object]] = [
        lambda given: keep_in_steps(given),
        lambda given: contextlib.contextmanager(keep_in_steps)(given),
        lambda given: concurrent.futures.Future[None](),
    ]
    if issubclass(face, ConfidentAI):
        makers.append(lambda given: keep(given))
    for store in makers:
        report = await done(client.projects.ensure_many(wishes, store=store))
        assert report.stopped_by is not None
        assert "store" in str(report.stopped_by)
        made = [outcome for outcome in report if outcome.new_keys]
        assert made
        assert all(outcome.happened == "failed" for outcome in made)
        assert len(made) < len(wishes)
        wishes = [DesiredProject(f"{wishes[0].name} again {number}") for number in range(60)]


def test_a_function_without_a_signature_is_taken_as_it_is() -> None:
    """Not every function that is not Python's says what it can be called with."""

    class Foreign:
        __signature__ = "nobody can read this"

        def __call__(self, given: object) -> None: ...

    check_callback("store", Foreign())


async def test_what_nobody_awaits_is_no_result_of_a_plain_function() -> None:
    """Whatever can be awaited, a coroutine or not, is an error that says so, and leaves no warning."""

    async def late() -> None: ...

    class Awaitable:
        def __await__(self) -> Any: ...

    for given in (late(), Awaitable()):
        with pytest.raises(UselessCallbackError, match="nobody awaits"):
            check_given("store", given, may_be_async=False)
        check_given("store", Awaitable())
