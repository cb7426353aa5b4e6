"""Functions that users give to a call: looked at before any request, since one of no use would cost a key."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import inspect
from collections.abc import Mapping
from typing import Any

from ._private_names import is_marked_as_coroutine_function

_CACHED = type(functools.lru_cache(len))


class UselessCallbackError(TypeError):
    """A callback gave something that has to be run, and that nobody runs: it would do so with every item."""


def check_callback(
    name: str, callback: object, *, arguments: int = 1, is_needed: bool = False, may_be_async: bool = True
) -> None:
    """Raise a ``TypeError`` if what should be a function is none, or none of use: an ``async def`` that nobody awaits.

    Args:
        name: What the caller calls it.
        callback: The function, or ``None`` where it is not needed.
        arguments: How many arguments it is called with.
        is_needed: Whether ``None`` is wrong.
        may_be_async: Whether what it gives is awaited.
    """
    if callback is None and not is_needed:
        return
    if not callable(callback):
        if inspect.iscoroutine(callback):
            callback.close()  # it would warn that nobody awaited it
        raise TypeError(f"{name} must be a function, not {type(callback).__name__}")
    if inspect.isclass(callback):
        raise TypeError(f"{name} must be a function, not the class {callback.__name__}: pass a method of an object")
    function: Any = callback
    while isinstance(function, (functools.partial, _CACHED)):
        function = function.func if isinstance(function, functools.partial) else function.__wrapped__
    # An object that can be called is what its class says, and what chooses by its argument what it chooses from.
    kinds = [function, type(function).__call__]
    if isinstance(chosen_from := getattr(function, "registry", None), Mapping):
        kinds += chosen_from.values()
    kinds = [_below_contextlib(kind) for kind in kinds]
    if any(inspect.isgeneratorfunction(kind) or inspect.isasyncgenfunction(kind) for kind in kinds):
        raise TypeError(f"{name} must be a function without yield: nobody would run what comes before it")
    if not may_be_async and any(map(_is_async, kinds)):
        raise TypeError(f"{name} must be a plain function, not an asynchronous one, which nobody would await here")
    try:
        signature = inspect.signature(callback)
    except (TypeError, ValueError):
        return  # not every function that is not Python's has one
    try:
        signature.bind(*range(arguments))
    except TypeError:
        takes = "one argument" if arguments == 1 else "no argument"
        raise TypeError(f"{name} must be a function that can be called with {takes}") from None


def _below_contextlib(kind: Any) -> Any:
    """The generator that ``@contextmanager`` made a function of, which gives a context manager that nobody enters."""
    while getattr(kind, "__globals__", None) is vars(contextlib) and hasattr(kind, "__wrapped__"):
        kind = kind.__wrapped__
    return kind


def _is_async(kind: Any) -> bool:
    return inspect.iscoroutinefunction(kind) or is_marked_as_coroutine_function(kind)


def check_given(name: str, given: Any, *, may_be_async: bool = True) -> None:
    """Raise a ``UselessCallbackError`` if a callback gave what nobody runs. Its own kind did not show that before."""
    if inspect.isgenerator(given) or inspect.isasyncgen(given):
        raise UselessCallbackError(f"{name} must be a function without yield: it gave a generator that nobody runs")
    if isinstance(given, (contextlib.ContextDecorator, contextlib.AsyncContextDecorator)):
        raise UselessCallbackError(f"{name} must be no context manager: it gave one that nobody enters")
    if isinstance(given, concurrent.futures.Future):
        raise UselessCallbackError(f"{name} must have done its work when it comes back: it gave a future")
    if not may_be_async and inspect.isawaitable(given):
        if inspect.iscoroutine(given):
            given.close()  # it would warn that nobody awaited it
        raise UselessCallbackError(f"{name} must be a plain function: it gave something that nobody awaits here")
