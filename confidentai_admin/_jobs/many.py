"""Doing one thing to many items at once, without losing what came of those before a failure."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import anyio

from .._callbacks import UselessCallbackError, check_callback, check_given
from ..errors import (
    AuthenticationError,
    ConfigurationError,
    PartialFailureError,
    PermissionDeniedError,
    RateLimitError,
    attach_partial,
)
from ..models import ApiKey, Happened, Outcome, Progress, Report
from .cancellation import warn_of_keys

T = TypeVar("T")
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def refuse_doubles(name: str, texts: Sequence[str], *, same: Callable[[str], str] = str) -> None:
    """Raise a ``ValueError`` if a text is there twice: it would be worked on twice at the same moment."""
    seen: set[str] = set()
    for text in texts:
        if same(text) in seen:
            raise ValueError(f"{name} has {text!r} twice")
        seen.add(same(text))


def concerns_everybody(error: BaseException | None) -> bool:
    """Whether an error of one item is one of all: the key, plan, client, rate or a callback is to blame."""
    everybodys = (AuthenticationError, PermissionDeniedError, ConfigurationError, RateLimitError, UselessCallbackError)
    return isinstance(error, everybodys)


def failed(item: ItemT, error: BaseException, made: Any = None) -> Outcome[ItemT, Any]:
    """The outcome of an item that met an error, with what was made before it and the secrets that the error carries."""
    new_keys: list[ApiKey] = []
    for source in (made, getattr(error, "partial", None)):
        new_keys += [key for key in getattr(source, "new_keys", []) if key not in new_keys]
    if isinstance(error, Exception):
        said, shown = str(error) or type(error).__name__, error
    else:
        said, shown = "it was cancelled on its way", None
    reason = ". ".join([said, *getattr(error, "__notes__", ())])
    return Outcome(item, Happened.FAILED, made, shown, reason, new_keys)


class Job(Generic[ItemT, ResultT]):
    """One thing done to many items, several at once.

    Callbacks are called one at a time. What they give is awaited, if that is possible.

    Attributes:
        made: By item, what was made for it so far, which its outcome has if something fails afterwards.
    """

    def __init__(
        self,
        items: Sequence[ItemT],
        *,
        at_once: int,
        on_progress: Callable[[Progress[ItemT, ResultT]], object] | None = None,
    ) -> None:
        check_callback("on_progress", on_progress)
        self.made: dict[ItemT, ResultT] = {}
        self._items = items
        self._at_once = at_once
        self._on_progress = on_progress
        self._outcomes: dict[int, Outcome[ItemT, ResultT]] = {}
        self._done = 0
        self._calling_back = anyio.Lock()
        self._stopped_by: Exception | None = None
        self._failures: list[BaseException] = []
        self._notes: list[str] = []  # on the cancellations of items, which are not the job's own

    async def call_back(self, name: str, callback: Callable[[T], object], value: T) -> object:
        """Call a function of the user's, and give what it gives."""
        async with self._calling_back:
            return await _awaited(name, callback(value))

    async def tell_wait(self, seconds: float) -> None:
        """Tell ``on_progress`` that the job waits. An error in it ends the job, as at the end of an item."""
        if self._on_progress is None:
            return
        try:
            async with self._calling_back:
                told: Progress[ItemT, ResultT] = Progress(self._done, len(self._items), None, waiting=seconds)
                await _awaited("on_progress", self._on_progress(told))
        except Exception as error:  # noqa: BLE001  (raised when what is under way is finished)
            self._failures.append(error)

    async def run(
        self,
        work: Callable[[ItemT], Awaitable[Outcome[ItemT, ResultT]]],
        *,
        look_again: Callable[[Report[ItemT, ResultT]], Awaitable[list[Outcome[ItemT, ResultT]]]] | None = None,
    ) -> Report[ItemT, ResultT]:
        """Do ``work`` to each item; an error of one is its outcome, and no reason not to do the others.

        At the end of a job that was not stopped, ``look_again`` gives the outcomes as they are by then.

        An error that concerns everybody stops the job, and one in ``on_progress`` does so and is raised: what is under
        way is finished, and nothing more is begun.
        """
        waiting = iter(enumerate(self._items))

        async def work_on() -> None:
            for index, item in waiting:
                try:
                    await self._do(work, index, item)
                except BaseException as error:
                    if _is_cancelled(error):
                        raise
                    self._failures.append(error)  # raised below: in no group, and when the others are finished
                if self._failures or self._stopped_by is not None:
                    return

        try:
            async with anyio.create_task_group() as group:
                for _ in range(min(self._at_once, len(self._items))):
                    group.start_soon(work_on)
            if self._failures:
                raise self._failures[0]
            if look_again is not None and self._stopped_by is None:  # else it would meet what stopped the job
                self._outcomes = dict(enumerate(await look_again(self._report())))
        except BaseException as error:
            self._hand_report_to(error)
            raise
        return self._report()

    async def _do(self, work: Callable[[ItemT], Awaitable[Outcome[ItemT, ResultT]]], index: int, item: ItemT) -> None:
        try:
            outcome = await work(item)
        except Exception as error:  # noqa: BLE001  (it is the outcome)
            outcome = failed(item, error, self.made.get(item))
        except BaseException as error:
            self._outcomes[index] = failed(item, error, self.made.get(item))
            if _is_cancelled(error):
                self._notes += [f"{item}: {note}" for note in getattr(error, "__notes__", ())]
            raise
        self._outcomes[index] = outcome
        if concerns_everybody(outcome.error) and self._stopped_by is None:
            self._stopped_by = outcome.error
        async with self._calling_back:
            self._done += 1
            if self._on_progress is not None:
                await _awaited("on_progress", self._on_progress(Progress(self._done, len(self._items), outcome)))

    def _hand_report_to(self, error: BaseException) -> None:
        report = self._report()
        for note in self._notes:
            error.add_note(note)
        warn_of_keys(error, ((repr(str(outcome.item)), outcome.new_keys) for outcome in report))
        if getattr(error, "partial", None) is None:
            attach_partial(error, report)
            return
        # A job within a callback failed. What it had done stays where it is.
        stopped = PartialFailureError(f"a callback ended the job: {error}")
        attach_partial(stopped, report)
        raise stopped from error

    def _report(self) -> Report[ItemT, ResultT]:
        reason = "the job ended before it"
        if self._stopped_by is not None:
            reason = f"the job was stopped before by: {self._stopped_by}"
        return Report(
            [
                self._outcomes.get(index) or Outcome(item, Happened.NOT_TRIED, reason=reason)
                for index, item in enumerate(self._items)
            ],
            stopped_by=self._stopped_by,
        )


def _is_cancelled(error: BaseException) -> bool:
    """Whether it is the cancellation of the job itself, and not one that came out of a user's function."""
    return isinstance(error, anyio.get_cancelled_exc_class()) and anyio.current_effective_deadline() == -math.inf


async def _awaited(name: str, given: object) -> object:
    check_given(name, given)
    return await given if inspect.isawaitable(given) else given
