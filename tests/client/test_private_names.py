"""Private names of libraries: where one is gone, what needs it does without, and nobody would hear of it."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading

import pytest

from confidentai_admin._callbacks import check_callback
from confidentai_admin._private_names import ANYIO_ON_ASYNCIO, call_before_threads_end, is_starting_a_thread


def test_anyio_on_asyncio_is_where_it_was() -> None:
    """A client loads it before its first call, and would go on without a word if there were no such module."""
    assert importlib.import_module(ANYIO_ON_ASYNCIO).backend_class.__module__ == ANYIO_ON_ASYNCIO


def test_the_lock_of_beginning_threads_is_seen() -> None:
    """Who holds it is about to start a thread; nobody else is."""
    assert not is_starting_a_thread()
    with threading._active_limbo_lock:  # type: ignore[attr-defined]
        assert is_starting_a_thread()
    assert not is_starting_a_thread()


def test_a_function_can_be_called_before_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python takes it; where the program is ending already, it is left to atexit, without an error."""

    def at_last() -> None: ...

    def refuse(_: object) -> None:
        raise RuntimeError("can't register atexit after shutdown")

    taken: list[object] = []
    assert callable(threading._register_atexit)  # type: ignore[attr-defined]
    monkeypatch.setattr(threading, "_register_atexit", taken.append)
    call_before_threads_end(at_last)
    assert taken == [at_last]
    monkeypatch.setattr(threading, "_register_atexit", refuse)
    call_before_threads_end(at_last)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="inspect has a mark there, and knows it")
def test_a_function_that_asyncio_knows_as_a_coroutine_function_is_refused() -> None:
    """Where a plain function is wanted, one that a framework marked as standing for an async def is none."""

    def store(ensured: object) -> None: ...

    check_callback("store", store, may_be_async=False)
    store._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="not an asynchronous one"):
        check_callback("store", store, may_be_async=False)
