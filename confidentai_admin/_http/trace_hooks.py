"""Trace hooks of the user's that may fail: what they watch goes on."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from aiohttp import ClientSession, TraceConfig

from .._reporting import log
from ..errors import ConfigurationError
from .attempts import current_wire_state

_HOOKS = [name for name in dir(TraceConfig) if name.startswith("on_")]

# The one that can say no: what it raises is the caller's, and nothing is sent. Any other that fails would take a
# connection or an answer with it.
_MAY_REFUSE = "on_request_start"

_Hook = Callable[..., Awaitable[None]]


class _GuardedTraceConfig(TraceConfig):
    """The hooks of another one, of which none that fails once the request is under way takes the answer with it."""

    def __init__(self, config: TraceConfig) -> None:
        super().__init__()
        self._config = config
        config.freeze()  # as a session does with what it uses
        for name in _HOOKS:
            hooks = getattr(config, name)
            getattr(self, name).extend(
                [_noted(hook) if name == _MAY_REFUSE else _guarded(name, hook) for hook in hooks]
            )

    def trace_config_ctx(self, trace_request_ctx: Any = None) -> SimpleNamespace:
        return self._config.trace_config_ctx(trace_request_ctx=trace_request_ctx)


def _is_cancellation(error: BaseException) -> bool:
    """Whether it is the cancellation of the call itself, and not of something that a hook waited for."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling() > 0)


def _noted(hook: _Hook) -> _Hook:
    async def call(*arguments: Any) -> None:
        try:
            await hook(*arguments)
        except (Exception, asyncio.CancelledError) as error:
            if not _is_cancellation(error):
                # It may be a timeout or an error of aiohttp's, and is not one of this request.
                current_wire_state.get().refusal = _as_refusal(error)
            raise

    return call


def _as_refusal(error: Exception | asyncio.CancelledError) -> Exception:
    if not isinstance(error, asyncio.CancelledError):
        return error
    # Nobody asked for it, and a task group or a timeout of the caller's would take it for its own.
    refusal = ConfigurationError(f"the trace hook {_MAY_REFUSE} waited for something that was cancelled: not sent")
    refusal.__cause__ = error
    return refusal


def _guarded(name: str, hook: _Hook) -> _Hook:
    async def call(*arguments: Any) -> None:
        try:
            await hook(*arguments)
        except (Exception, asyncio.CancelledError) as error:
            if _is_cancellation(error):
                raise
            # Not its text, which may be of that answer.
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} in {place.filename}, line {place.lineno}"
            log(logging.WARNING, "the trace hook %s failed, and the call goes on: %s", name, what)

    return call


def guard_hooks(session: ClientSession) -> None:
    """See that hooks which fail while a request is under way cost no answer, whoever gave them to the session."""
    configs = session.trace_configs
    configs[:] = [
        config if isinstance(config, _GuardedTraceConfig) else _GuardedTraceConfig(config) for config in configs
    ]
    for config in configs:
        config.freeze()
