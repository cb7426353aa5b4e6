"""Drawing sequences, playing them through a client against the emulator, and looking at what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import http.client
import itertools
import json
import logging
import math
import os
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator
from random import Random
from typing import Any, cast

import attrs
from hypothesis import strategies as st

from confidentai_admin import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AsyncConfidentAI,
    CallDetails,
    ConfidentAI,
    ConfidentAIError,
    RateLimitError,
    Timeout,
    record_calls,
)
from confidentai_admin.emulator import Emulator, RecordedCall, faults
from confidentai_admin.emulator._http.calls import Entry

from ..operations.faces import opened
from .chance import Chance, built, just, one_of, sampled, several
from .operations import NAMES, OPERATIONS, Chooser, Effect, Operation, plain
from .state import State, differences, look
from .troubles import OWN_KEY, SHORT_READ, Attempt, Mistyped, Trouble, Verdict, judge, mistyped, outages, scripts

PATIENCE = 30.0  # seconds for making simpler what goes wrong
WATCHDOG = 5.0  # seconds that nothing here needs
FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 8.0
LONGEST_RETRY_AFTER = 60.0
BUDGET = 10  # repetitions that a client may make at once
EARNED = 0.1  # and per call
MARGIN = 1.0  # seconds by the clock that pass by themselves
PAGES = 8  # that a walk reads at the same time


# What is drawn --------------------------------------------------------------------------------------------------------


@attrs.frozen
class Pick:
    """An operation, and the numbers from which its arguments are chosen."""

    what: str
    numbers: tuple[int, ...]


@attrs.frozen
class Step:
    """Calls that begin together, what happens to the requests in the order in which they come, and how it ends.

    Attributes:
        picks: The calls, one or more.
        troubles: For the first request, the second, and so on.
        on_a_new_client: Whether they are made by a client of their own, and so on a new connection.
        interrupted_after: Half milliseconds after which the calls are cancelled, or a client of their own is closed
            under them.
        is_closed: Whether they end by the client's being closed, and not by being cancelled.
    """

    picks: tuple[Pick, ...]
    troubles: tuple[Trouble | None, ...]
    on_a_new_client: bool = False
    interrupted_after: int | None = None
    is_closed: bool = False

    @property
    def is_slow(self) -> bool:
        """Whether a client must not be too patient."""
        return any(trouble is not None and trouble.is_slow for trouble in self.troubles)


@attrs.frozen
class Outage:
    """Something that happens to requests by chance, where nothing else does."""

    fault: faults.Fault
    probability: float
    seed: int


@attrs.frozen
class Sequence:
    """A client's limits, the plan of its organization, and the steps; `seed` is what `MODEL_SEED` calls it."""

    steps: tuple[Step, ...]
    max_retries: int = 2
    max_connections: int = 20
    total: float = 60.0  # seconds by the clock that a call may take
    plan: str = "TEAM"
    outage: Outage | None = None
    seed: str = attrs.field(default="", repr=False)


# What takes away what another call of the same moment may just have made would need a model of moments.
_ALONE = ("delete_project", "request_deletion", "remove_member")

_numbers = several(sampled(*range(24)), 6, 6)
_alone = several(built(Pick, sampled(*NAMES), _numbers), 1, 1)
_together = several(built(Pick, sampled(*[name for name in NAMES if name not in _ALONE]), _numbers), 2, 3)
_calls = one_of(*[_alone] * 5, _together)
_uninterrupted = built(Step, _calls, scripts, sampled(False, False, False, True))
_interrupted = built(Step, _calls, scripts, just(False), sampled(*range(13)), sampled(False, True))
_in_an_outage = built(Step, _alone, just(()))


_limits: dict[str, Chance[Any]] = {
    "max_retries": sampled(2, 2, 1, 0, 4),
    "max_connections": sampled(20, 20, 2, 1),
    "total": sampled(60.0, 60.0, 600.0),
    "plan": sampled(*["TEAM"] * 7, "FREE"),
}
# In an outage, so much can be repeated that the budget for it is used up.
_stormy = built(
    Sequence,
    several(_in_an_outage, 5, 10),
    max_retries=sampled(4, 3),
    outage=built(Outage, outages, sampled(1.0, 0.8), sampled(*range(1000))),
)


# Each operation with numbers of which most choose something that is there, in the organization or in a project.
_CREATIONS = ("create_project", "create_invitations", "create_role", "create_policy", "create_key")
_WRITES = (
    *("create_role", "create_policy", "update_role", "update_role", "update_policy", "update_policy", "update_key"),
    *("delete_key", "delete_policy", "delete_role", "revoke_invitation", "resend_invitation", "create_invitations"),
    *("update_member", "remove_member", "assign", "unassign", "update_organization", "update_project", "create_key"),
)
_likely = built(lambda first, rest: (first, *rest), sampled(0, 1), several(sampled(0, 0, 1, 2, 2, 10), 5, 5))
# The first numbers are the place, and the rest choose what cannot be refused.
_creation = built(Pick, sampled(*_CREATIONS), built(lambda first: (first,), sampled(0, 1)))
_told_to_nobody = built(
    Step,
    built(lambda pick: (pick,), _creation),
    built(lambda fault: (Trouble(fault),), built(faults.Drop, after_work=just(True), reset=sampled(False, True))),
)
_likely_write = built(
    Step,
    built(lambda what, numbers: (Pick(what, numbers),), sampled(*_WRITES), _likely),
    one_of(*[just(())] * 3, scripts),
)
_misread = built(
    Step,
    built(lambda what, numbers: (Pick(what, numbers),), sampled(*OPERATIONS), _likely),
    built(lambda choice: (Trouble(Mistyped(choice=choice)),), sampled(*range(1000))),
)
_listed = just(Step((Pick("list_policies", (0,)),), ()))
_listed_in_a_project = just(Step((Pick("list_policies", (1,)),), ()))
_creative = built(Sequence, several(one_of(*[_told_to_nobody] * 5, _listed, _listed_in_a_project), 8, 8))
_writing = built(Sequence, several(_likely_write, 8, 8))
_misreading = built(Sequence, several(_misread, 8, 8))


def _sequences(chance: Chance[Step]) -> st.SearchStrategy[Sequence]:
    # One draw and no more: of many, hypothesis would make six times out of seven a variant of what it had before.
    made = one_of(
        *[built(Sequence, several(chance, 3, 8), **_limits)] * 7, _stormy, _creative, *[_writing] * 2, _misreading
    )

    def make(seed: bytes) -> Sequence:
        sequence: Sequence = made(Random(seed))
        return attrs.evolve(sequence, seed=seed.hex())

    again = os.environ.get("MODEL_SEED")
    if again is not None:
        plain = {sequence.seed: sequence for sequence in NO_CHANCE}
        return st.just(plain[again]) if again in plain else st.just(make(bytes.fromhex(again)))
    return st.binary(min_size=8, max_size=8).map(make)


def all_sequences() -> st.SearchStrategy[Sequence]:
    """What is to be played: anything, or what `MODEL_SEED` says."""
    return _sequences(one_of(*[_uninterrupted] * 5, _interrupted))


def uninterrupted_sequences() -> st.SearchStrategy[Sequence]:
    """The same, of steps that nothing interrupts."""
    return _sequences(_uninterrupted)


def _plainly(*numbers: int, names: str) -> Iterator[Pick]:
    """The operations, in the organization and in a project where they have a place, which the first number chooses."""
    for name in names.split():
        yield from (Pick(name, (where, *numbers)) for where in (0, 1))


def _each_alone(picks: Iterable[Pick], *troubles: Trouble) -> tuple[Step, ...]:
    return tuple(Step((pick,), troubles) for pick in picks)


_DELETIONS = (
    *_plainly(names="delete_key revoke_invitation"),
    *(Pick(name, (where, 2 - where)) for where in (0, 1) for name in ("delete_role", "delete_policy")),
    *_plainly(names="remove_member"),
    Pick("delete_project", (0,)),
    Pick("request_deletion", (0,)),
)
_PLAIN = (
    Sequence(
        _each_alone(
            [
                *_plainly(names="list_projects get_project list_keys get_key list_invitations list_members"),
                *_plainly(names="list_permissions list_policies list_roles list_governance list_governed"),
                *_plainly(names="get_organization update_organization create_role create_policy create_key"),
                *_plainly(names="create_project create_invitations resend_invitation update_key assign unassign"),
                *_plainly(0, 2, names="update_member"),
                # Two policies or permissions, and a description that is kept, set, kept, and taken away.
                *(
                    each
                    for given in (1, 0, 2, 0)
                    for each in _plainly(1, 0, 2, 0, given, names="update_role update_policy")
                ),
                *_plainly(names="update_project"),
                *_DELETIONS,
            ]
        )
    ),
    Sequence(_each_alone(_plainly(names=" ".join(_CREATIONS)), Trouble(faults.Drop(after_work=True)))),
    Sequence(_each_alone(_plainly(names=" ".join(_CREATIONS)), Trouble(faults.Cut(0.9)))),
    # What is deleted, and asked for again since nobody said so, is gone.
    Sequence(_each_alone(_DELETIONS, Trouble(faults.Drop(after_work=True)))),
    Sequence(_each_alone([Pick("create_key", (0,))], Trouble(faults.Hang())) * 2),
    Sequence(_each_alone([Pick("create_key", (0,))], Trouble(faults.Hang(after_work=True))) * 2),
    # The second call of each pair has to wait: after the longest time that may be, if it has so much time itself.
    *(
        Sequence(
            tuple(
                step
                for seconds in (5, 30, 3600)
                for step in (
                    *_each_alone([Pick("get_organization", ())], Trouble(faults.Answer(429, retry_after=seconds))),
                    *_each_alone([Pick("create_key", (0,))]),
                )
            ),
            max_retries=0,
            total=total,
        )
        for total in (60.0, 600.0)
    ),
    # Each value of a key with each wrong type.
    Sequence(tuple(Step((Pick("get_key", (0,)),), (Trouble(Mistyped(choice=choice)),)) for choice in range(12))),
    # What is cancelled gives back what it took, wherever it was: under way, or waiting for another.
    Sequence(
        tuple(
            step
            for names, after in (
                ("get_project", 12),
                ("create_key", 12),
                ("get_project create_key", 8),
                ("create_key", 1),
            )
            for step in (
                Step(
                    tuple(Pick(name, (0,)) for name in names.split()),
                    (Trouble(faults.Hang()),),
                    interrupted_after=after,
                ),
                *_each_alone([Pick("list_keys", (0,)), Pick("create_key", (0,))]),
            )
        ),
        max_connections=1,
    ),
    # There is time enough, and it is too long to wait all the same.
    Sequence(_each_alone([Pick("get_organization", ())], Trouble(faults.Answer(503, retry_after=61))), total=600.0),
)
#: Whatever chance chooses, each operation succeeds once in these, and each creation is done once without an answer.
NO_CHANCE = tuple(attrs.evolve(sequence, seed=f"plain-{number}") for number, sequence in enumerate(_PLAIN, 1))


def simpler(sequence: Sequence) -> Iterator[Sequence]:
    """The sequence with something left out, in every way in which that can be."""
    steps = sequence.steps
    for index, step in enumerate(steps):
        others: list[tuple[Step, ...]] = [()] if len(steps) > 1 else []
        if len(step.picks) > 1:
            others += [(attrs.evolve(step, picks=(pick,)),) for pick in step.picks]
        if step.interrupted_after is not None:
            others.append((attrs.evolve(step, interrupted_after=None, is_closed=False),))
        if step.on_a_new_client:
            others.append((attrs.evolve(step, on_a_new_client=False),))
        for place, trouble in enumerate(step.troubles):
            rest = step.troubles[place + 1 :]
            if trouble is not None:
                without = (*step.troubles[:place], None, *rest) if rest else step.troubles[:place]
                others.append((attrs.evolve(step, troubles=without),))
        yield from (attrs.evolve(sequence, steps=(*steps[:index], *other, *steps[index + 1 :])) for other in others)
    usual: dict[str, Any] = {"outage": None, "plan": "TEAM", "total": 60.0, "max_connections": 20, "max_retries": 2}
    for name, value in usual.items():
        if getattr(sequence, name) != value:
            yield attrs.evolve(sequence, **{name: value})


# What comes of it -----------------------------------------------------------------------------------------------------


class Violation(AssertionError):  # noqa: N818 - what is said by it is said of the client
    """Something that may not be true is."""


@attrs.define(repr=False)
class Tally:
    """What was done in a run.

    Attributes:
        kept: Errors that hold the beginning of an answer of which the rest did not come.
        obeyed: Repetitions for which the server had asked to wait.
        held: Calls that waited at first, since the server had said to one before that there are too many.
        not_sent: Calls that had not the time for that.
        answered: Successes, by operation.
        done: Writes that the server did.
        lost: Those of them of which the whole answer was lost with the connection.
        gone: Deletions that were repeated, and found that they had been done.
    """

    sequences: int = 0
    calls: int = 0
    requests: int = 0
    refused: int = 0
    unknown: int = 0
    interrupted: int = 0
    doubled: int = 0
    secrets: int = 0
    kept: int = 0
    obeyed: int = 0
    held: int = 0
    not_sent: int = 0
    answered: Counter[str] = attrs.Factory(Counter)
    done: Counter[str] = attrs.Factory(Counter)
    lost: Counter[str] = attrs.Factory(Counter)
    gone: Counter[str] = attrs.Factory(Counter)
    faults: Counter[str] = attrs.Factory(Counter)

    def lines(self) -> Iterator[str]:
        yield (
            f"{self.sequences} sequences, {self.calls} calls, {self.requests} requests;"
            f" {self.refused} errors of a known outcome, {self.unknown} of an unknown one,"
            f" {self.interrupted} calls interrupted"
        )
        yield f"faults ({self.faults.total()}): " + ", ".join(f"{name} {n}" for name, n in sorted(self.faults.items()))
        yield (
            f"broken answers kept: {self.kept}; Retry-After obeyed: {self.obeyed};"
            f" held up after a 429: {self.held}, and not sent: {self.not_sent}"
        )
        for what, counts in (
            ("answered", self.answered),
            ("done", self.done),
            ("done and not told", self.lost),
            ("gone", self.gone),
        ):
            yield f"{what}: " + ", ".join(f"{name} {n}" for name, n in sorted(counts.items()))
        yield f"writes doubled: {self.doubled}; secrets shown: {self.secrets}"


def _kind_of(call: RecordedCall) -> str | None:
    if call.fault is None:
        return None
    fault = call.fault.fault
    if fault is None:
        return "delay"
    name = type(fault).__name__
    if isinstance(fault, faults.Answer):
        name = f"Answer {fault.status}"
    return f"{name} after the work" if fault.after_work and not isinstance(fault, _ALWAYS_AFTER) else name


_ALWAYS_AFTER = (faults.Cut, faults.Truncate, faults.Drip)


class _Interrupted:
    def __repr__(self) -> str:
        return "interrupted"


_INTERRUPTED = _Interrupted()


@attrs.frozen
class Outcome:
    """How a call ended: with a value or with an error; an error of None is none."""

    value: Any = attrs.field(default=None, repr=False)
    error: BaseException | _Interrupted | None = None

    @property
    def has_value(self) -> bool:
        return self.error is None

    @property
    def may_be_done(self) -> bool:
        return isinstance(self.error, _Interrupted) or bool(getattr(self.error, "outcome_unknown", True))

    def __str__(self) -> str:
        if self.error is None:
            return f"returned {plain(self.value)!r:.200}"
        return f"{type(self.error).__name__}: {self.error}"


@attrs.frozen
class Doubts:
    """How far what is said of a step's calls can be believed.

    Attributes:
        is_calm: Whether nothing went wrong.
        may_be_untrue: Whether a deletion may have been told to be done that was not: a fault said so.
    """

    is_calm: bool
    may_be_untrue: bool


@attrs.define
class _Side:
    """A client, and what has been asked of it so far."""

    client: ConfidentAI
    calls: int = 0
    repetitions: int = 0
    given_up: int = 0  # repetitions that may have been paid for and were not made
    has_met_429: bool = False
    until: float = -math.inf  # when it may send again, by the clock, at the earliest
    until_at_most: float = -math.inf  # and when at the latest


@attrs.frozen
class Moment:
    """When calls began and ended, by the clock, the client's pauses between, and the API's own answers.

    Of each answer, also whether something in it has a wrong type.
    """

    began: float
    ended: float
    pauses: list[float]
    answers: list[bytes | None]
    are_mistyped: list[bool]


class _Secrets(logging.Handler):
    """Keeps what the package logs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@contextlib.contextmanager
def _logs() -> Iterator[list[str]]:
    logger = logging.getLogger("confidentai_admin")
    handler, level = _Secrets(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        yield handler.texts
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = True


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Run a blocking call in a thread of its own, which keeps nothing from ending if the call does not."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def deliver(set_it: Callable[[Any], None], what: Any) -> None:
        if not over.done():
            set_it(what)

    def run() -> None:
        try:
            arguments = (over.set_result, context.run(function))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is an outcome
            arguments = (over.set_exception, error)
        # The loop may have been given up meanwhile.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(deliver, *arguments)

    threading.Thread(target=run, daemon=True, name="a caller").start()
    return await over


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Leave garbage for later: a finalizer fails that Python runs deep within JSON that is nested too deeply."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def play(
    emulator: Emulator, face: type[ConfidentAI], sequence: Sequence, tally: Tally, *, simplify: bool = True
) -> None:
    """Play a sequence from the first state on.

    Raises:
        Violation: Something is true that may not be. The message tells the story, of the simplest sequence that was
            found to go wrong.
    """
    violation = _try(emulator, face, sequence, tally)
    if violation is None:
        return
    end = time.monotonic() + PATIENCE
    candidates = simpler(sequence) if simplify else iter(())
    while (candidate := next(candidates, None)) is not None and time.monotonic() < end:
        # What depends on the moment may need another try.
        found = _try(emulator, face, candidate, Tally()) or _try(emulator, face, candidate, Tally())
        if found is not None:
            violation, sequence = found, candidate
            candidates = simpler(sequence)
    again = f"To play this one again: MODEL_SEED={sequence.seed} pytest tests/model/test_sequences.py"
    raise Violation(f"{violation}\n{sequence!r}\n{again}") from violation.__cause__


def _try(emulator: Emulator, face: type[ConfidentAI], sequence: Sequence, tally: Tally) -> Violation | None:
    game = _Game(emulator, face, sequence, tally)
    try:
        with _no_collection():
            asyncio.run(game.play())
    except Violation as violation:
        told = Violation("\n".join([str(violation), *game.story]))
        told.__cause__ = violation.__cause__
        return told
    return None


class _Game:
    def __init__(self, emulator: Emulator, face: type[ConfidentAI], sequence: Sequence, tally: Tally) -> None:
        self.emulator = emulator
        self.face = face
        self.is_blocking = face is ConfidentAI
        self.sequence = sequence
        self.total = sequence.total
        self.tally = tally
        self.serials = itertools.count(1)
        self.story: list[str] = []
        self.answers: dict[int, tuple[Entry, bytes]] = {}
        self.mistyped: set[int] = set()  # the entries of answers in which something has a wrong type
        host, port = emulator.url.removeprefix("http://").split(":")
        self.line = http.client.HTTPConnection(host, int(port), timeout=WATCHDOG)
        emulator.reset()
        emulator.change_plan(sequence.plan)
        self.state = look(emulator)

    async def play(self) -> None:
        self.tally.sequences += 1
        threads = set(threading.enumerate())
        try:
            with _logs() as texts, self.overheard():
                async with self.client() as client:
                    side = _Side(client)
                    for number, step in enumerate(self.sequence.steps):
                        self.story.append(f"step {number + 1}:")
                        await self.step(step, number, side)
                await self.check_nothing_is_left(threads)
            self.check_text("\n".join(texts), "the log")
            failures = [text for text in texts if "The emulator failed" in text]
            self.require(not failures, f"the emulator failed: {failures}")
        finally:
            self.line.close()

    @contextlib.contextmanager
    def overheard(self) -> Iterator[None]:
        """Keep what the API itself answers, before a fault spoils it."""
        app: Any = self.emulator._app
        receive = app._receive

        async def listen(*given: Any) -> Callable[[], Any]:
            work = await receive(*given)
            entry = next(each for each in given if isinstance(each, Entry))

            def answer() -> Any:
                response = work()
                fault = _fault_of(entry.call)
                if isinstance(fault, Mistyped) and response.status == 200:
                    own = bytes(response.body)
                    response.body = mistyped(own, fault.choice)
                    if response.body != own:
                        self.mistyped.add(id(entry))
                self.answers[id(entry)] = (entry, bytes(response.body))
                return response

            return answer

        app._receive = listen
        try:
            yield
        finally:
            del app._receive

    def client(self) -> contextlib.AbstractAsyncContextManager[ConfidentAI]:
        return opened(
            self.face(
                OWN_KEY,
                base_url=self.emulator.url,
                clock=self.emulator.clock,
                timeout=Timeout(total=self.total),
                max_retries=self.sequence.max_retries,
                max_connections=self.sequence.max_connections,
            )
        )

    def require(self, condition: object, message: str) -> None:
        if not condition:
            raise Violation(message)

    # Playing:

    async def step(self, step: Step, number: int, side: _Side) -> None:
        # Who cancels calls goes on with the same client. A blocking call can only be ended by closing its client.
        is_last = step.interrupted_after is not None and (step.is_closed or self.is_blocking)
        if step.on_a_new_client or is_last:
            async with self.client() as client:
                await self.calls(step, number, _Side(client))
        else:
            await self.calls(step, number, side)

    async def calls(self, step: Step, number: int, side: _Side) -> None:
        before = self.state
        operations = [
            OPERATIONS[pick.what](Chooser(before, pick.numbers, next(self.serials), OWN_KEY)) for pick in step.picks
        ]
        for operation in operations:
            self.story.append(f"    {operation.text}")
        log = self.emulator._app.calls
        known = len(self.emulator.calls)
        slept = len(self.emulator.clock.slept)
        is_raw = any(operation.is_raw for operation in operations)
        self.prepare([None if is_raw and each and each.is_misshapen else each for each in step.troubles], number)
        with record_calls() as details:
            began = self.emulator.clock.monotonic()
            outcomes = await self.ask(step, operations, side.client)
            ended = self.emulator.clock.monotonic()
        pauses = self.emulator.clock.slept[slept:]
        await self.settle()
        self.emulator.faults.clear()
        self.state = after = look(self.emulator)
        entries = list(log._entries)[known:]
        requests = [entry.call for entry in entries]
        own = [self.answers.get(id(entry), (entry, None))[1] for entry in entries]
        moment = Moment(began, ended, pauses, own, [id(entry) in self.mistyped for entry in entries])
        for outcome in outcomes:
            self.story.append(f"      {outcome}")
        for request in requests:
            fault = None if request.fault is None else (request.fault.fault or "only late")
            done = "done" if request.changed_state else "not done"
            self.story.append(f"      - {request.method} {request.path}: {request.status}, {done}, {fault!r:.200}")
        self.story.append(f"      state: {differences(before, after)}")
        self.count(operations, outcomes, requests)
        self.check(step, operations, outcomes, requests, details, side, before, after, moment)

    def prepare(self, troubles: list[Trouble | None], number: int) -> None:
        script = self.emulator.faults
        for index, trouble in enumerate(troubles):
            if trouble is not None:
                script.add(
                    "*",
                    trouble.fault,
                    delay_before=trouble.delay_before,
                    delay_after=trouble.delay_after,
                    nth=index + 1,
                )
        outage = self.sequence.outage
        if outage is not None:
            script.add("*", outage.fault, probability=outage.probability, seed=outage.seed + number)

    async def ask(self, step: Step, operations: list[Operation], client: ConfidentAI) -> list[Outcome]:
        view = client
        if step.is_slow:
            view = client.with_options(timeout=Timeout(connect=5, read=SHORT_READ, total=self.total))
        tasks = [asyncio.create_task(self.call(operation, view)) for operation in operations]
        if step.interrupted_after is not None:
            await asyncio.wait(tasks, timeout=step.interrupted_after / 2000)
            if self.is_blocking:
                await self.bounded([asyncio.create_task(_in_thread(client.close))])
            elif step.is_closed:
                await self.bounded([asyncio.create_task(cast(AsyncConfidentAI, client).close())])
            else:
                for task in tasks:
                    task.cancel()
        await self.bounded(tasks)
        is_cancelled = step.interrupted_after is not None and not (step.is_closed or self.is_blocking)
        return [self.outcome(task, is_cancelled=is_cancelled) for task in tasks]

    async def bounded(self, tasks: list[asyncio.Task[Any]]) -> None:
        """Wait for what must end by itself."""
        _, pending = await asyncio.wait(tasks, timeout=WATCHDOG)
        for task in pending:
            task.cancel()
        self.require(not pending, f"nothing ended within {WATCHDOG} s: a call hangs")

    def call(self, operation: Operation, client: ConfidentAI) -> Coroutine[Any, Any, Any]:
        def at_once() -> Any:
            result = operation.send(client)
            return list(result) if operation.is_walk else result

        async def in_time() -> Any:
            result = operation.send(client)
            return [item async for item in result] if operation.is_walk else await result

        return _in_thread(at_once) if self.is_blocking else in_time()

    def outcome(self, task: asyncio.Task[Any], *, is_cancelled: bool) -> Outcome:
        if task.cancelled():
            self.require(is_cancelled, "a call was cancelled by nobody")
            return Outcome(error=_INTERRUPTED)
        error = task.exception()
        return Outcome(task.result()) if error is None else Outcome(error=error)

    async def settle(self) -> None:
        """Wait until the server has seen all that was sent, and has done what it does late."""
        held = self.emulator._app._held
        end = time.monotonic() + WATCHDOG
        self.knock()
        while held:
            self.require(time.monotonic() < end, "a request is still held by a fault")
            self.emulator.clock.advance(100)
            await asyncio.sleep(0.001)
            self.knock()

    def knock(self) -> None:
        # What came before is read by the server before what comes now, and begun before this is answered.
        for _ in range(3):
            self.line.request("GET", "/_emulator/")
            self.line.getresponse().read()

    # Looking:

    def count(self, operations: list[Operation], outcomes: list[Outcome], requests: list[RecordedCall]) -> None:
        self.tally.calls += len(operations)
        self.tally.requests += len(requests)
        self.tally.faults.update(kind for kind in map(_kind_of, requests) if kind is not None)
        for request in requests:
            if request.changed_state and request.operation is not None:
                self.tally.done[request.operation] += 1
                self.tally.lost[request.operation] += isinstance(_fault_of(request), faults.Drop)
        self.tally.answered.update(each.name for each, told in zip(operations, outcomes, strict=True) if told.has_value)
        for outcome in outcomes:
            if isinstance(outcome.error, _Interrupted):
                self.tally.interrupted += 1
            elif outcome.error is not None:
                if outcome.may_be_done:
                    self.tally.unknown += 1
                else:
                    self.tally.refused += 1

    def check(
        self,
        step: Step,
        operations: list[Operation],
        outcomes: list[Outcome],
        requests: list[RecordedCall],
        details: list[CallDetails],
        side: _Side,
        before: State,
        after: State,
        moment: Moment,
    ) -> None:
        self.check_errors(outcomes, before, after)
        self.check_numbers(step, operations, outcomes, requests, details, side)
        self.check_doubles(operations, requests, moment)
        attempts = [
            judge(request, is_mistyped=is_mistyped)
            for request, is_mistyped in zip(requests, moment.are_mistyped, strict=True)
        ]
        side.has_met_429 |= any(attempt.status == 429 for attempt in attempts)
        is_alone = len(operations) == 1 and step.interrupted_after is None
        self.check_pauses(step, attempts, outcomes[0] if is_alone and not operations[0].is_walk else None, side, moment)
        self.check_times(step, operations, details, moment)
        # A walk may give up pages that it reads at the same time.
        gives_up = step.is_slow or any(operation.is_walk for operation in operations)
        if step.interrupted_after is None and not gives_up:
            for request in requests:
                is_lost = isinstance(_fault_of(request), (faults.Drop, faults.Cut, faults.Hang))
                self.require((request.status is None) is is_lost, f"{request} has this status")
        if is_alone and operations[0].is_walk:
            self.check_walk(operations[0], outcomes[0], attempts, side, before)
        elif is_alone:
            if step.is_slow:
                attempts = _with_patience_lost(attempts, outcomes[0])
            self.check_call(operations[0], outcomes[0], attempts, requests, details[0], side, before, after)
            self.check_work(operations[0], requests, before, after)
            error = outcomes[0].error
            if requests and error is not None and not (step.is_slow or _is_unsent(error)):
                self.check_body(operations[0], error, requests[-1], moment.answers[-1])
        is_calm = not side.has_met_429 and all(request.fault is None for request in requests)
        doubts = Doubts(
            is_calm=is_calm and step.interrupted_after is None,
            may_be_untrue=any(attempt.is_bare_success for attempt in attempts),
        )
        self.require(
            self.explains(before, after, operations, outcomes, doubts),
            f"no order of what was called, and is said of it, leads to this state: {differences(before, after)}",
        )
        if not is_alone:
            for operation, outcome in zip(operations, outcomes, strict=True):
                if outcome.has_value:
                    self.check_value_among_others(operation, outcome.value, before, after)

    def check_errors(self, outcomes: list[Outcome], before: State, after: State) -> None:
        secrets = {OWN_KEY} | before.secrets | after.secrets
        for error in (outcome.error for outcome in outcomes):
            if error is None or isinstance(error, _Interrupted):
                continue
            if not isinstance(error, ConfidentAIError):
                raise Violation(f"a {type(error).__name__} came out of a call: {error}") from error
            shown = [str(error), repr(error), f"{error}", repr(vars(error)), str(vars(error))]
            shown += traceback.format_exception(type(error), error, error.__traceback__)
            self.check_text("\n".join(shown), f"a {type(error).__name__}", secrets)

    def check_text(self, text: str, where: str, secrets: set[str] | None = None) -> None:
        for secret in {OWN_KEY} | self.state.secrets if secrets is None else secrets:
            if secret in text:
                self.tally.secrets += 1
                raise Violation(f"{where} shows a key")

    def check_numbers(
        self,
        step: Step,
        operations: list[Operation],
        outcomes: list[Outcome],
        requests: list[RecordedCall],
        details: list[CallDetails],
        side: _Side,
    ) -> None:
        """The bounds of each call, and that all requests are accounted for."""
        longest = 1 + self.sequence.max_retries
        for each in details:
            self.require(each.attempts <= longest, f"{each.attempts} attempts, and {longest} are allowed")
        begun = sum(each.attempts for each in details)
        self.require(len(requests) <= begun, f"{len(requests)} requests came, and only {begun} are known to the client")
        # A walk gives up the pages that it reads at the same time when one of them fails.
        may_be_unsent = step.interrupted_after is not None or any(
            isinstance(outcome.error, APITimeoutError) or (operation.is_walk and not outcome.has_value)
            for operation, outcome in zip(operations, outcomes, strict=True)
        )
        self.require(may_be_unsent or len(requests) == begun, f"{begun} requests were begun, and {len(requests)} came")
        if len(operations) == 1 and not operations[0].is_walk:
            if step.interrupted_after is None:
                self.require(len(details) == 1, f"one call was recorded {len(details)} times")
            for each in details:
                self.require(each.elapsed < self.total + 1, f"the call took {each.elapsed} s by the clock")
        side.calls += len(details)
        side.repetitions += sum(max(0, each.attempts - 1) for each in details)
        for operation, outcome in zip(operations, outcomes, strict=True):
            may_give_up = (RateLimitError, APITimeoutError, _Interrupted)
            if isinstance(outcome.error, may_give_up) or (operation.is_walk and outcome.error):
                side.given_up += PAGES * self.sequence.max_retries if operation.is_walk else 1
        allowed = BUDGET + EARNED * side.calls
        self.require(
            side.repetitions <= allowed, f"{side.repetitions} repetitions in {side.calls} calls, and {allowed} may be"
        )

    def check_doubles(self, operations: list[Operation], requests: list[RecordedCall], moment: Moment) -> None:
        asked = Counter(operation.name for operation in operations)
        repeatable = {operation.name for operation in operations if operation.effect is not Effect.ONCE}
        done = Counter(
            request.operation
            for request, own in zip(requests, moment.answers, strict=True)
            if own is not None and json.loads(own)["success"]
        )
        for name, times in asked.items():
            if name not in repeatable and done[name] > times:
                self.tally.doubled += done[name] - times
                raise Violation(f"{name} was called {times} times and done {done[name]} times")

    def refusals(self, operation: Operation, state: State) -> set[int]:
        keys = state.scopes[None].keys.values()
        is_known = any(key.value == OWN_KEY and key.valid for key in keys)
        return operation.refusals(state) if is_known else {401}

    def check_call(
        self,
        operation: Operation,
        outcome: Outcome,
        attempts: list[Attempt],
        requests: list[RecordedCall],
        details: CallDetails,
        side: _Side,
        before: State,
        after: State,
    ) -> None:
        """One call: whether the attempts were right, and whether what came of them was told."""
        may_repeat = {Verdict.TURNED_AWAY}
        if operation.effect is not Effect.ONCE:
            may_repeat |= {Verdict.FAILED, Verdict.LOST}
        for attempt in attempts[:-1]:
            is_right = attempt.verdict in may_repeat and attempt.retry_after <= LONGEST_RETRY_AFTER
            self.require(is_right, f"sent again after {attempt}")
        doubt = [attempt.verdict.leaves_doubt for attempt in attempts]
        self.check_server(operation, requests, doubt, before, after)
        # Nobody else deletes anything meanwhile, so that it must have been an attempt of its own.
        is_gone = (
            operation.is_deletion
            and any(doubt[:-1])
            and attempts[-1].verdict is Verdict.REFUSED
            and attempts[-1].status == 404
            and attempts[-1].is_enveloped
        )
        is_told = operation.is_deletion and bool(attempts) and attempts[-1].is_bare_success
        if outcome.error is None:
            self.require(attempts, "a value, and no request")
            last = attempts[-1]
            self.tally.gone[operation.name] += is_gone
            self.require(last.verdict is Verdict.FINE or is_gone or is_told, f"a value after {last}")
            expected = [operation.answer(before, after)]
            if any(doubt[:-1]) and operation.effect is Effect.REPEATABLE:
                # The repetition of what is done says so.
                expected.append(operation.answer(after, after))
            if (is_gone or is_told) and operation.is_raw:
                expected = [None]
            self.require(plain(outcome.value) in expected, f"{plain(outcome.value)!r} is none of {expected!r}")
            return
        error = outcome.error
        assert isinstance(error, ConfidentAIError)
        self.require(not is_gone, f"a deletion that an attempt before did is an error: {error}")
        if isinstance(error, APITimeoutError) and details.elapsed > self.total - 2:
            # The last request may have been given up before it was sent, or after it came.
            may_forget = operation.effect is Effect.READ or not any(doubt[:-1])
            self.require(error.outcome_unknown or may_forget, "an unknown outcome was forgotten")
            return
        is_unknown = operation.effect is not Effect.READ and any(doubt)
        self.require(
            error.outcome_unknown is is_unknown,
            f"outcome_unknown is {error.outcome_unknown} after {[attempt.verdict.name for attempt in attempts]}",
        )
        if isinstance(error, RateLimitError) and error.message.startswith("not sent"):
            self.require(side.has_met_429, "held up, and nobody had said that there are too many")
            return
        self.require(attempts, f"no request, and {type(error).__name__}")
        last = attempts[-1]
        if last.verdict is Verdict.FINE or is_told:
            raise Violation(f"a success was answered, and {type(error).__name__} was raised") from error
        if last.verdict is Verdict.LOST:
            kind: type[ConfidentAIError] = APIConnectionError
        elif last.verdict is Verdict.UNREADABLE and (last.status or 0) < 300:
            kind = APIResponseValidationError
        else:
            kind = APIStatusError
        self.require(isinstance(error, kind), f"{type(error).__name__} after {last}")
        status = getattr(error, "status", None)
        self.require(status == last.status, f"an error of status {status} after {last}")
        could_repeat = (
            last.verdict in may_repeat
            and details.attempts <= self.sequence.max_retries
            and side.repetitions + side.given_up + 1 <= BUDGET
            and last.retry_after <= LONGEST_RETRY_AFTER
            and details.elapsed + max(LONGEST_BACKOFF, last.retry_after) + 1 < self.total
        )
        self.require(not could_repeat, f"given up after {last}, although it could be sent again")

    def check_server(
        self,
        operation: Operation,
        requests: list[RecordedCall],
        doubt: list[bool],
        before: State,
        after: State,
    ) -> None:
        """Whether the server keeps to the rules itself."""
        for index, request in enumerate(requests):
            fault = None if request.fault is None else request.fault.fault
            if isinstance(fault, (faults.Answer, faults.Redirect)) or request.status is None:
                continue
            answered = request.status
            refusals = self.refusals(operation, before)
            # What an attempt before this one did may be met by it.
            met = {200} | self.refusals(operation, after) if any(doubt[:index]) else set()
            may_be = met | (refusals or {200})
            self.require(answered in may_be, f"the server answered {answered}, and none of {may_be}")

    def check_work(self, operation: Operation, requests: list[RecordedCall], before: State, after: State) -> None:
        """What each request did by itself: nothing if it met a fault before the work, else all that it asked for."""
        if len(requests) > 1 and any(request.fault and request.fault.delay_before for request in requests):
            return  # one that is held may be done after those that came later
        state = before
        for request in requests:
            fault = _fault_of(request)
            is_done = (fault is None or fault.after_work) and not self.refusals(operation, state)
            done = operation.done(state, after) if is_done else state
            if done is None:
                raise Violation(f"what was done before the answer was spoiled by {fault} is not there")
            # An invitation that is sent again is still the same.
            is_noted = done != state or (is_done and operation.name.startswith("resend"))
            self.require(
                request.changed_state is is_noted,
                f"changed_state is {request.changed_state} after {fault}: {differences(state, done)}",
            )
            state = done
        self.require(state == after, f"the faults leave another state: {differences(state, after)}")

    def check_body(self, operation: Operation, error: Any, request: RecordedCall, own: bytes | None) -> None:
        """Whether the error has kept what came of the last answer."""
        fault = _fault_of(request)
        body = None if error.body is None else _without_key(bytes(error.body))
        sent = _without_key(own or b"")
        if isinstance(fault, (faults.Cut, faults.Truncate)):
            sent = sent[: max(0, min(int(len(sent) * fault.keep), len(sent) - 1))]
        elif isinstance(fault, faults.Answer):
            payload = fault.payload()
            if payload is None:
                self.require(body is not None and json.loads(body)["success"] is False, f"the error's body is {body!r}")
                return
            sent = _without_key(payload[0])
        elif isinstance(fault, (faults.Redirect, faults.Drop, faults.Hang)):
            sent = b""
        if not isinstance(error, APIConnectionError):
            self.require(body == sent, f"the error's body is {body!r}, and {sent!r} was sent")
        elif operation.effect is Effect.READ:
            self.require(body is None, "the error of a read has a body")
        elif isinstance(fault, faults.Cut) and fault.reset:
            # A reset throws away what is still on its way.
            self.require(body is None or (body and sent.startswith(body)), f"the error's body is {body!r}")
        else:
            self.require(body == (sent or None), f"the error's body is {body!r}, and {sent!r} was sent")
            self.tally.kept += body is not None

    def check_pauses(
        self, step: Step, attempts: list[Attempt], alone: Outcome | None, side: _Side, moment: Moment
    ) -> None:
        """Whether the client waited as long as the server asked it to: this call, and the next one after a 429."""
        longest = max(moment.pauses, default=0.0)
        self.require(longest <= LONGEST_RETRY_AFTER + FIRST_BACKOFF, f"a pause of {longest} s")
        left = side.until - moment.began
        pauses = iter(moment.pauses)
        if alone is not None and left > MARGIN:
            if attempts:
                first = next(pauses, 0.0)
                self.require(first > left - MARGIN, f"sent after a pause of {first} s, and all were to wait {left} s")
                self.tally.held += 1
            else:
                self.require(isinstance(alone.error, RateLimitError), f"all were to wait {left} s, and {alone}")
        if alone is not None and isinstance(alone.error, RateLimitError) and not attempts:
            most = side.until_at_most - moment.began
            self.require(most > self.total - 2, f"not sent, and at most {most} s were to be waited for: {alone}")
            self.tally.not_sent += 1
        if alone is not None and not step.is_slow:
            for attempt in attempts[:-1]:
                waited = any(pause >= attempt.retry_after for pause in pauses)
                self.require(waited, f"sent again after {attempt}, with no such pause in {moment.pauses}")
                self.tally.obeyed += attempt.retry_after > 0
        for attempt in attempts:
            if attempt.status == 429:
                asked = min(max(attempt.retry_after, LONGEST_BACKOFF), LONGEST_RETRY_AFTER)
                side.until_at_most = max(side.until_at_most, moment.ended + asked)
        if step.interrupted_after is None and not step.is_slow:
            for attempt in attempts:
                if attempt.status == 429:
                    # With others at the same time, nobody knows when it was heard: at the earliest in the beginning.
                    is_last = alone is not None and attempt is attempts[-1]
                    heard = moment.ended - MARGIN if is_last else moment.began
                    side.until = max(side.until, heard + min(attempt.retry_after, LONGEST_RETRY_AFTER))

    def check_times(self, step: Step, operations: list[Operation], details: list[CallDetails], moment: Moment) -> None:
        """Whether each call, and all of them together, ended in time.

        Where there are several at once, each of them moves the clock under the others when it pauses, and one that is
        under way meanwhile can do nothing about that: a call may then seem to have taken the pauses of the others,
        too. So only those with as much as that are bounded here, each by the sum. A step with an interruption ends
        early anyway.
        """
        if len(operations) > 1 or operations[0].is_walk:
            for each in details:
                allowed = self.total + sum(moment.pauses) + MARGIN
                self.require(each.elapsed < min(allowed, self.longest(operations)), f"a call took {each.elapsed} s")
        if not any(operation.is_walk for operation in operations):
            took = moment.ended - moment.began
            self.require(took < self.longest(operations), f"the calls took {took} s by the clock")

    def longest(self, operations: list[Operation]) -> float:
        return sum(self.total * (PAGES if operation.is_walk else 1) for operation in operations) + MARGIN

    def check_walk(
        self, operation: Operation, outcome: Outcome, attempts: list[Attempt], side: _Side, before: State
    ) -> None:
        """A walk over all pages: everything, once, in order, or an error that has a reason."""
        refusals = self.refusals(operation, before)
        if outcome.error is None:
            self.require(not refusals, f"a list, where the rules refuse by {refusals}")
            unreadable = [attempt for attempt in attempts if attempt.verdict is Verdict.UNREADABLE]
            self.require(not unreadable, f"a list after {unreadable}")
            expected = operation.answer(before, before)
            self.require(plain(outcome.value) == expected, f"{plain(outcome.value)!r} is not {expected!r}")
            return
        reasons = [attempt for attempt in attempts if attempt.verdict is not Verdict.FINE]
        self.require(reasons or refusals or side.has_met_429, f"{type(outcome.error).__name__} without a reason")
        self.require(not outcome.may_be_done, "a read of which the outcome is unknown")

    def explains(
        self, state: State, after: State, operations: list[Operation], outcomes: list[Outcome], doubts: Doubts
    ) -> bool:
        """Whether some order of the calls, with what is said of them, leads from one state to the other."""

        def leads(state: State, left: tuple[int, ...]) -> bool:
            if not left:
                return state == after
            return any(
                leads(possible, tuple(other for other in left if other != each))
                for each in left
                for possible in self.possible(state, after, operations[each], outcomes[each], doubts)
            )

        return leads(state, tuple(range(len(operations))))

    def possible(
        self, state: State, after: State, operation: Operation, outcome: Outcome, doubts: Doubts
    ) -> Iterator[State]:
        """The states that a call may leave, by what is said of it."""
        refusals = self.refusals(operation, state)
        if outcome.has_value:
            if not refusals:
                done = operation.done(state, after)
                if done is not None:
                    yield done
            elif operation.effect is Effect.READ or (operation.is_deletion and not doubts.is_calm and 404 in refusals):
                yield state
            if operation.is_deletion and doubts.may_be_untrue:
                yield state
            return
        if doubts.is_calm and not isinstance(outcome.error, _Interrupted) and not self.is_refused(outcome, refusals):
            return
        yield state
        if outcome.may_be_done and not refusals:
            done = operation.done(state, after)
            if done is not None:
                yield done

    def is_refused(self, outcome: Outcome, refusals: set[int]) -> bool:
        return getattr(outcome.error, "status", None) in refusals and not outcome.may_be_done

    def check_value_among_others(self, operation: Operation, value: Any, before: State, after: State) -> None:
        """What can be said of a result when other calls were made at the same time."""
        found = plain(value)
        if operation.effect is Effect.READ:
            with contextlib.suppress(KeyError):  # what was shown is not there any more
                first, then = (_ids(operation.answer(each, each)) for each in (before, after))
                self.require(first & then <= _ids(found), "something is missing in a list")
                self.require(_ids(found) <= first | then, "a list shows something that never was")
        elif operation.name.startswith("create") and not operation.name.endswith("Invitations"):
            expected = operation.answer(before, after)
            self.require(found == expected, f"{found!r} is not {expected!r}")

    async def check_nothing_is_left(self, threads: set[threading.Thread]) -> None:
        end = time.monotonic() + WATCHDOG
        mine = asyncio.current_task()
        while left := self.left(threads, mine):
            self.require(time.monotonic() < end, f"left behind: {left}")
            await asyncio.sleep(0.001)
        self.emulator.faults.clear()

    def left(self, threads: set[threading.Thread], mine: asyncio.Task[Any] | None) -> list[str]:
        tasks = [repr(task) for task in asyncio.all_tasks() if task is not mine]
        others = [repr(thread) for thread in threading.enumerate() if thread not in threads]
        runner = self.emulator._runner
        server = None if runner is None else runner.server
        # One is the line by which this test knocks.
        connections = 0 if server is None else len(list(server._connections.copy())) - 1
        return [*tasks, *others, *([f"{connections} connections"] if connections > 0 else [])]


def _with_patience_lost(attempts: list[Attempt], outcome: Outcome) -> list[Attempt]:
    """The attempts of an impatient client, which may have given up any of them while this machine was busy."""
    lost = Attempt(Verdict.LOST)
    repeated = (Verdict.FINE, Verdict.REFUSED, Verdict.UNREADABLE)
    seen = [lost if attempt.verdict in repeated else attempt for attempt in attempts[:-1]]
    return [*seen, *(lost if isinstance(outcome.error, APITimeoutError) else attempt for attempt in attempts[-1:])]


def _fault_of(request: RecordedCall) -> faults.Fault | None:
    return None if request.fault is None else request.fault.fault


def _is_unsent(error: object) -> bool:
    """Whether the last thing that the call met was that it could not be sent."""
    return isinstance(error, (RateLimitError, APITimeoutError)) and error.message.startswith("not sent")


def _without_key(content: bytes) -> bytes:
    return content.replace(OWN_KEY.encode(), b"*" * 15)


def _ids(shown: Any) -> set[Any]:
    items = shown["items"] if isinstance(shown, dict) and shown.get("a") == "Page" else shown
    if isinstance(items, dict):
        items = items.get("projects", [items])
    return {item["id"] for item in items if isinstance(item, dict) and "id" in item}
