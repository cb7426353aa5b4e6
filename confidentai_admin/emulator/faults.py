"""Faults for tests: what goes wrong on the way to the emulator and back, at which calls.

`Emulator.faults` is a `Faults`: `add` says which calls a fault is for, and which fault it is, one of

- `Answer`: another answer than the API's, such as a gateway's 502 or a 429 with `Retry-After`;
- `Redirect`: an answer that sends the client elsewhere;
- `Drop`: the connection ends without an answer;
- `Cut`: the connection ends within the answer's body;
- `Truncate`: an answer of valid HTTP whose JSON ends too early;
- `Drip`: an answer that comes slowly, in pieces;
- `Hang`: no answer and no end;
- `Late`: the work is done only after the client was let down;
- `RateLimit`: a gateway in front that lets so many requests a second through;
- `Stale`: a read that lags behind the writes.

A fault that comes before the work keeps the request from the API: no key is looked at, nothing is done. One that comes
after it leaves the API to do as usual, or to refuse as usual, and spoils the way back.

The last two are no accidents but what a server is like. They are for all calls unless a number is given, and other
faults are applied to the same calls: to those that the `RateLimit` lets through, and to reads that are `Stale`.
"""

import difflib
import json
import math
import random
import re
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from typing import Any, ClassVar, Final, TypeAlias

import attrs

from ._contract.operation import Operation
from ._contract.routes import ANY_ID, begins_with_a_version, in_any_version, parts, possible
from ._contract.versions import VERSIONS, named, names, operations_of
from .clock import Clock, check_seconds

__all__ = [
    "Answer",
    "Cut",
    "Drip",
    "Drop",
    "Fault",
    "Faults",
    "Hang",
    "Late",
    "RateLimit",
    "Redirect",
    "ScriptedFault",
    "Stale",
    "Truncate",
]

_REDIRECTS: Final = (301, 302, 303, 307, 308)
_METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SEGMENT: Final = "[^/]+"
# A clock cannot be moved to where there are no dates.
_LONGEST_DELAY: Final = 1_000_000_000
# These say where a message ends; `Cut` and `Truncate` are there for what ends too early.
_FRAMING: Final = ("content-length", "transfer-encoding")


# The examples in messages, good for every version.
_MANY: Final = named("listProjects", VERSIONS)[0].bare_path
_ONE: Final = named("getProject", VERSIONS)[0].bare_path

# How many a message names of those that may be meant.
_NEAREST: Final = 3


class _Default(Enum):
    FAILURE = "the API's failure envelope"
    TIMES = "all calls for a RateLimit and a Stale, one for all others"


@attrs.frozen
class Answer:
    """Another answer than the API's.

    Args:
        status: 200 to 599.
        body: bytes as they are; a str as HTML in UTF-8; anything else as JSON. Left out, it is the API's failure
            envelope.
        headers: More headers, or others: a `Content-Type` here is taken instead of the body's usual one.
        retry_after: The header `Retry-After`: a number of seconds, or the header's text.
        after_work: Whether the work is done before, as when a gateway loses patience with it.

    Raises:
        TypeError: An argument is of the wrong type; a body can be no JSON.
        ValueError: An argument cannot be sent.
    """

    status: int
    body: Any = attrs.field(default=_Default.FAILURE, kw_only=True, repr=False)  # there may be a key in it
    headers: Mapping[str, str] | None = attrs.field(default=None, kw_only=True)
    retry_after: float | str | None = attrs.field(default=None, kw_only=True)
    after_work: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_whole(self.status, "status", 200, 599)
        _check_truth(self.after_work, "after_work")
        for name, value in (self.headers or {}).items():
            _check_header(name, value)
            if name.lower() in _FRAMING:
                raise ValueError(f"headers must not have {name}: it follows from the body.")
        _check_retry_after(self.retry_after)
        if self.retry_after is not None and any(name.lower() == "retry-after" for name in self.headers or ()):
            raise ValueError("Retry-After must be given once: as retry_after or in headers.")
        self.payload()

    def payload(self) -> tuple[bytes, str | None] | None:
        """Give the body and its usual `Content-Type`, if it has one; None if it is the API's failure envelope."""
        if self.body is _Default.FAILURE:
            return None
        if isinstance(self.body, bytes):
            return self.body, None
        if isinstance(self.body, str):
            return self.body.encode("utf-8"), "text/html; charset=utf-8"
        try:
            return json.dumps(self.body).encode("ascii"), "application/json"
        except RecursionError:
            raise ValueError("body is nested too deeply to be sent as JSON.") from None

    def sent_headers(self) -> dict[str, str]:
        """Give the headers to send: those of `headers` and `Retry-After`."""
        headers = dict(self.headers or {})
        if isinstance(self.retry_after, str):
            headers["Retry-After"] = self.retry_after
        elif self.retry_after is not None:
            seconds = self.retry_after
            headers["Retry-After"] = str(int(seconds) if seconds == int(seconds) else seconds)
        return headers


@attrs.frozen
class Redirect:
    """An answer that sends the client elsewhere; nothing is done.

    Args:
        location: The header `Location`, as it is.
        status: 301, 302, 303, 307 or 308.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument cannot be sent.
    """

    after_work: ClassVar[bool] = False

    location: str
    status: int = 307

    def __attrs_post_init__(self) -> None:
        _check_header("Location", self.location)
        if self.status not in _REDIRECTS:
            raise ValueError(f"status must be one of {', '.join(map(str, _REDIRECTS))}.")


@attrs.frozen
class Drop:
    """The connection ends without an answer.

    Args:
        after_work: Whether the work is done before: then only the answer is lost.
        reset: Whether it ends by a TCP reset, as when a peer crashes, and not in the orderly way.

    Raises:
        TypeError: An argument is no bool.
    """

    after_work: bool = attrs.field(default=False, kw_only=True)
    reset: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_truth(self.after_work, "after_work")
        _check_truth(self.reset, "reset")


@attrs.frozen
class Cut:
    """The work is done, and the connection ends within the answer's body, of which the headers tell the full length.

    Args:
        keep: How much of the body is sent, from 0 to 1. At least its last byte is missing.
        reset: Whether the connection ends by a TCP reset, and not in the orderly way. Of a body of many kilobytes less
            may come then: a reset throws away what is still on its way.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: keep is not from 0 to 1.
    """

    after_work: ClassVar[bool] = True

    keep: float = 0.5
    reset: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_share(self.keep, "keep")
        _check_truth(self.reset, "reset")


@attrs.frozen
class Truncate:
    """The work is done, and the answer is valid HTTP whose JSON ends too early.

    Args:
        keep: How much of the body is sent, from 0 to 1. At least its last byte is missing.

    Raises:
        TypeError: keep is no number.
        ValueError: keep is not from 0 to 1.
    """

    after_work: ClassVar[bool] = True

    keep: float = 0.5

    def __attrs_post_init__(self) -> None:
        _check_share(self.keep, "keep")


@attrs.frozen
class Drip:
    """The work is done, the headers come, and then the body in pieces.

    Args:
        pause: Seconds of the emulator's clock before each piece.
        pieces: How many, if the body has as many bytes.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: pause is negative or not finite, or pieces less than 1.
    """

    after_work: ClassVar[bool] = True

    pause: float
    pieces: int = 8

    def __attrs_post_init__(self) -> None:
        _check_delay(self.pause, "pause")
        _check_whole(self.pieces, "pieces", 1, 1_000_000)


@attrs.frozen
class Hang:
    """No answer and no end, until the client goes away or the emulator stops.

    Args:
        after_work: Whether the work is done before.

    Raises:
        TypeError: after_work is no bool.
    """

    after_work: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_truth(self.after_work, "after_work")


@attrs.frozen
class Late:
    """The client is let down at once, and the work is done later, as by a server that goes on with what was given up.

    It is done as it would be for a request that comes then: it may be refused, and what it makes has the time at which
    it is done. `RecordedCall.changed_state` tells that it is done. Where the world was reset meanwhile, it is not.

    Args:
        seconds: How long after the request has come, by the emulator's clock.
        meanwhile: What the client meets: `Drop`, `Hang`, or an `Answer` such as a gateway's 504, none of them
            `after_work`.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: seconds is negative, not finite or too many, or meanwhile comes after the work.
    """

    after_work: ClassVar[bool] = False

    seconds: float
    meanwhile: Answer | Drop | Hang = attrs.field(factory=Drop)

    def __attrs_post_init__(self) -> None:
        _check_delay(self.seconds, "seconds")
        if not isinstance(self.meanwhile, Answer | Drop | Hang):
            raise TypeError("meanwhile must be an Answer, a Drop or a Hang.")
        if self.meanwhile.after_work:
            raise ValueError("meanwhile must not be after_work: the work is done later.")


@attrs.frozen
class RateLimit:
    """A gateway in front of the server that lets so many requests a second through, and answers the rest with 429.

    It is a token bucket, full at the first call: a request takes a token, and one that finds none is refused and does
    nothing. All calls that it is added for share it; `"*"` is the whole server. Other faults count, and are applied to,
    only what it lets through. `ScriptedFault.used` tells how many requests came to it, `ScriptedFault.refused` how many
    of these it refused.

    Args:
        per_second: How many tokens come in a second of the emulator's clock.
        burst: How many there can be; left out, as many as come in a second, and one at least.
        retry_after: The header `Retry-After` of its 429: a number of seconds, the header's text, or None for none.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument is out of range, or cannot be sent.
    """

    after_work: ClassVar[bool] = False

    per_second: float
    burst: int | None = None
    retry_after: float | str | None = 1

    def __attrs_post_init__(self) -> None:
        if isinstance(self.per_second, bool) or not isinstance(self.per_second, int | float):
            raise TypeError("per_second must be a number.")
        if not (math.isfinite(self.per_second) and self.per_second > 0):
            raise ValueError("per_second must be finite and more than 0.")
        if self.burst is not None:
            _check_whole(self.burst, "burst", 1)
        _check_retry_after(self.retry_after)

    def answer(self) -> Answer:
        """Give the answer to what is refused."""
        return Answer(429, retry_after=self.retry_after)


@attrs.frozen
class Stale:
    """A read shows what was there some seconds ago, as one from a replica or an index does that lags behind.

    What was made since is missing, what was deleted is still shown, what was changed has its old form, and the `total`
    of pages lags with it. Writes go by what there is: a name that is taken is refused, what was made can be deleted.
    What happens in the product lags too, but nothing that happened before the fault was added.

    By its name an operation lags whichever read it is. Of a path, or `*`, only listings do, unless `by_id` is given. A
    listing of what is in a project that was made since is not refused: the project is as it began, with its system
    roles, without keys and people.

    Args:
        seconds: How long ago, by the emulator's clock.
        by_id: Whether reads by id, and that of the organization, lag too, where the fault is added for a path.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: seconds is negative, not finite or too many.
    """

    after_work: ClassVar[bool] = True

    seconds: float
    by_id: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_delay(self.seconds, "seconds")
        _check_truth(self.by_id, "by_id")


Fault: TypeAlias = Answer | Redirect | Drop | Cut | Truncate | Drip | Hang | Late | RateLimit | Stale
_ACCIDENTS: Final = (Answer, Redirect, Drop, Cut, Truncate, Drip, Hang, Late, type(None))
_KINDS: Final = (Answer, Redirect, Drop, Cut, Truncate, Drip, Hang, Late, RateLimit, Stale)


class ScriptedFault:
    """A fault, or only a delay, and the calls that it is for: what `Faults.add` returns."""

    def __init__(
        self,
        where: str,
        fault: Fault | None,
        *,
        delay_before: float,
        delay_after: float,
        nth: int,
        times: int | None,
        probability: float | None,
        seed: int,
        matches: "_Where",
        reads: frozenset[str] | None,
        added: float,
    ) -> None:
        self.where = where
        self.fault = fault
        self.delay_before = delay_before
        self.delay_after = delay_after
        self.nth = nth
        self.times = times
        self.probability = probability
        self._matches = matches
        self._reads = reads
        self._bucket = _Bucket(fault) if isinstance(fault, RateLimit) else None
        self._refused = 0
        self._added = added
        self._random = random.Random(seed)  # noqa: S311 - chance that can be repeated is what is wanted
        self._seen = 0
        self._used = 0

    @property
    def used(self) -> int:
        """How many calls it was applied to."""
        return self._used

    @property
    def refused(self) -> int:
        """How many of these a `RateLimit` refused; the others it let through."""
        return self._refused

    def shows(self, now: float) -> float:
        """Give the moment that a read shows to which this is applied; this is for the server to call."""
        return max(self._added, now - self.fault.seconds) if isinstance(self.fault, Stale) else now

    def __repr__(self) -> str:
        what = "only a delay" if self.fault is None else repr(self.fault)
        delays = [(self.delay_before, "before"), (self.delay_after, "after")]
        late = "".join(f", {seconds:g} s {when}" for seconds, when in delays if seconds)
        if self.probability is not None:
            when = f"with probability {self.probability:g}"
        else:
            count = "all" if self.times is None else str(self.times)
            when = f"{count} from call {self.nth}"
        refused = "" if self._bucket is None else f", {self._refused} of them refused"
        return f"<{self.where!r}: {what}{late}, {when}, used {self._used} times{refused}>"

    def _is_for(self, method: str, path: str, operation: str | None) -> bool:
        if self._reads is not None and operation not in self._reads:
            return False
        return self._matches.match(method, path, operation)

    def _is_due(self) -> bool:
        # One number is drawn for each call that matches, so that other faults do not change at which calls this one is.
        self._seen += 1
        if self.probability is not None:
            return self._random.random() < self.probability
        return self._seen >= self.nth and (self.times is None or self._used < self.times)

    def _use(self) -> None:
        self._used += 1

    def _lets_through(self, now: float) -> bool:
        self._use()
        if self._bucket is None or self._bucket.take(now):
            return True
        self._refused += 1
        return False

    def _lag(self) -> float:
        is_over = self.probability is None and self.times is not None and self._used >= self.times
        return self.fault.seconds if isinstance(self.fault, Stale) and not is_over else 0.0


class _Bucket:
    """The tokens that a `RateLimit` has."""

    # What is missing of a token after many additions of small times.
    _TOLERANCE: Final = 1e-6

    def __init__(self, limit: RateLimit) -> None:
        self._per_second = limit.per_second
        self._most = float(limit.burst or max(1, math.ceil(limit.per_second)))
        self._tokens = self._most
        self._counted_at = -math.inf

    def take(self, now: float) -> bool:
        if now > self._counted_at:
            self._tokens = min(self._most, self._tokens + (now - self._counted_at) * self._per_second)
            self._counted_at = now
        if self._tokens < 1 - self._TOLERANCE:
            return False
        self._tokens -= 1
        return True


class Faults:
    """The faults that an emulator was told to make; `Emulator.faults`. Its methods can be called from any thread."""

    def __init__(self, clock: Clock | None = None, versions: Collection[str] = tuple(VERSIONS)) -> None:
        self._clock = clock or Clock()
        self._versions = versions
        self._lock = threading.Lock()
        self._scripted: list[ScriptedFault] = []

    def add(
        self,
        where: str,
        fault: Fault | None = None,
        *,
        delay_before: float = 0.0,
        delay_after: float = 0.0,
        nth: int = 1,
        times: int | _Default | None = _Default.TIMES,
        probability: float | None = None,
        seed: int = 0,
        unknown_route: bool = False,
    ) -> ScriptedFault:
        """Make a fault happen at some calls.

        Every fault counts the calls that match since it was added. It is applied to the first `times` calls, from the
        `nth` on, that no fault added earlier is applied to: of two for the same place the first one added is at the
        first call, and the second at the second. A fault with a probability is applied by chance, to calls that none
        of the others are applied to. There is one fault to a call, but for a `RateLimit`, which is in front of all
        others, and a `Stale`, with which a read can meet another fault, too.

        Args:
            where: An operation by its name in the contract, as `createProject`, in whichever version; or a path, as
                `/v1/projects/*`, in which `*` is anything, and a name in braces, as in `/v1/projects/{projectId}`, is
                any one id; or such a path after a method, as `POST /v1/projects`. A path without a version, as
                `/projects/*`, is that of each. `*` is every request.
                A path is compared as it is sent, percent-encoded and without the query. The API must have a route
                that fits.
            fault: What goes wrong. None if the call is only late.
            delay_before: Seconds of the emulator's clock to wait before the work. It is done even if the client has
                gone away by then.
            delay_after: Seconds of the emulator's clock to wait between the work and the answer.
            nth: The first matching call that it can be applied to, counted from 1.
            times: To how many calls it is applied; None for all of them. Left out, it is one, and all of them for a
                `RateLimit` and a `Stale`.
            probability: From 0 to 1: apply it to each matching call by chance instead; nth and times are left out
                then.
            seed: What the chance is made from: the same seed, the same calls. Faults with the same seed meet the
                same chances, so give each its own.
            unknown_route: Whether `where` may be a path or a method that the API does not have, as far as the emulator
                knows: for an `Answer` in place of an operation that is newer than it.

        Returns:
            The fault and its calls; `used` tells how many it was applied to.

        Raises:
            TypeError: An argument is of the wrong type.
            ValueError: An argument is out of range, `where` can match nothing of the API's (the message names what is
                near), or nothing that the fault is for, there is neither fault nor delay, or a `RateLimit` or a `Stale`
                is given a delay: that is a fault of its own, which is applied to the same calls.
        """
        if fault is not None and not isinstance(fault, _KINDS):
            raise TypeError(f"fault must be one of {', '.join(kind.__name__ for kind in _KINDS)}, or None.")
        _check_delay(delay_before, "delay_before")
        _check_delay(delay_after, "delay_after")
        if fault is None and not delay_before and not delay_after:
            raise ValueError("There is neither a fault nor a delay.")
        lasts = isinstance(fault, RateLimit | Stale)
        if lasts and (delay_before or delay_after):
            raise ValueError(
                f"A {type(fault).__name__} has no delay: add one by itself, and it is applied to the same calls."
            )
        _check_whole(nth, "nth", 1)
        if not isinstance(times, _Default) and times is not None:
            _check_whole(times, "times", 1)
        if probability is not None:
            _check_share(probability, "probability")
            if nth != 1 or times not in (1, _Default.TIMES):
                raise ValueError("nth and times have no meaning with a probability.")
        _check_whole(seed, "seed")
        _check_truth(unknown_route, "unknown_route")
        scripted = ScriptedFault(
            where,
            fault,
            delay_before=delay_before,
            delay_after=delay_after,
            nth=nth,
            times=(None if lasts else 1) if isinstance(times, _Default) else times,
            probability=probability,
            seed=seed,
            matches=_read_where(where, self._versions, unknown_route=unknown_route),
            reads=_lagging(where, fault, self._versions) if isinstance(fault, Stale) else None,
            added=self._clock.monotonic(),
        )
        with self._lock:
            self._scripted.append(scripted)
        return scripted

    def matcher(self, where: str) -> Callable[[str, str, str | None], bool]:
        """Give what tells whether a request, by its method, path and operation, is one for a place.

        Args:
            where: As for `add`.

        Raises:
            TypeError: It is no str.
            ValueError: It can match nothing of the API's; the message names what is near.
        """
        return _read_where(where, self._versions, unknown_route=False).match

    @property
    def unused(self) -> list[ScriptedFault]:
        """The faults that were applied to no call, but for those with a probability, which need not be."""
        with self._lock:
            return [scripted for scripted in self._scripted if not scripted.used and scripted.probability is None]

    def check(self) -> None:
        """Make sure that no fault was added in vain; one that was applied once is enough, whatever its `times`.

        Raises:
            AssertionError: There are faults in `unused`; the message names them.
        """
        unused = self.unused
        if unused:
            raise AssertionError(f"These faults were never met by a call: {', '.join(map(repr, unused))}")

    def clear(self) -> None:
        """Forget all faults. Calls that one is being applied to are not changed by that."""
        with self._lock:
            self._scripted.clear()

    def take(self, method: str, path: str, operation: str | None) -> ScriptedFault | None:
        """Give the fault for a request that has come, if there is one, and count; this is for the server to call.

        A `RateLimit` is one only if it refuses, and then no other fault counts the request. For a `Stale` there is
        `take_stale`.
        """
        with self._lock:
            now = self._clock.monotonic()
            for limit in self._due(method, path, operation, RateLimit):
                if not limit._lets_through(now):
                    return limit
            return self._use_first(self._due(method, path, operation, _ACCIDENTS))

    def take_stale(self, method: str, path: str, operation: str | None) -> ScriptedFault | None:
        """Give the `Stale` for a request that goes on to the API, if there is one, and count."""
        with self._lock:
            return self._use_first(self._due(method, path, operation, Stale))

    def longest_lag(self) -> float:
        """Give the seconds by which a read may have to look back; 0 while there is no `Stale`."""
        with self._lock:
            return max((each._lag() for each in self._scripted), default=0.0)

    def _due(
        self, method: str, path: str, operation: str | None, kinds: type | tuple[type, ...]
    ) -> list[ScriptedFault]:
        matching = [
            each
            for each in self._scripted
            if isinstance(each.fault, kinds) and each._is_for(method, path, operation) and each._is_due()
        ]
        # Those with a probability come after the others, in the same order otherwise.
        return sorted(matching, key=lambda each: each.probability is not None)

    def _use_first(self, due: list[ScriptedFault]) -> ScriptedFault | None:
        if not due:
            return None
        due[0]._use()
        return due[0]


@attrs.frozen
class _Where:
    """Which requests are meant: an operation's, or those of a path and perhaps a method."""

    operation: str | None = None
    method: str | None = None
    path: re.Pattern[str] | None = None

    def match(self, method: str, path: str, operation: str | None) -> bool:
        if self.path is None:
            return operation == self.operation
        return self.method in (None, method) and self.path.fullmatch(path) is not None


def _read_where(where: str, versions: Collection[str], *, unknown_route: bool) -> _Where:
    if not isinstance(where, str):
        raise TypeError("where must be a str.")
    if named(where, versions):
        return _Where(operation=where)
    method, space, path = where.rpartition(" ")
    if space and method not in _METHODS:
        raise ValueError(f"where must begin with a path or with one of {', '.join(_METHODS)}, not with {method!r}.")
    if not path.startswith(("/", "*")):
        raise ValueError(
            f"where must be an operation's name, a path such as {_MANY}/*, or a method and a path; {where!r} is "
            f"none of these.{near(where, names(versions))}"
        )
    if not path.isprintable() or not path.isascii() or "?" in path or "#" in path:
        raise ValueError("where must have a path as it is sent, percent-encoded and without a query.")
    if any("{" in part or "}" in part for part in parts(path) if part != ANY_ID):
        raise ValueError(f"where must have braces only around a name, as in {_ONE}.")
    if path.startswith("/_emulator/"):
        raise ValueError("where must be a path of the API: the emulator's own verbs have no faults.")
    if not unknown_route:
        _refuse_unknown_route(where, method, path, versions)
    pattern = "".join(".*" if part == "*" else _SEGMENT if part == ANY_ID else re.escape(part) for part in parts(path))
    if not begins_with_a_version(path):
        pattern = in_any_version(pattern)
    return _Where(method=method or None, path=re.compile(pattern, re.DOTALL))


def _lagging(where: str, fault: Stale, versions: Collection[str]) -> frozenset[str]:
    """Give the names of the reads that lag by a fault for this place."""
    method, _, path = where.rpartition(" ")
    by_name = named(where, versions)
    fitting = by_name or possible(path, versions)
    reads = [each for each in fitting if not each.changes_state and method in ("", each.method)]
    if not reads:
        raise ValueError(f"A Stale is for reads, and {where!r} is none.")
    meant = [each for each in reads if each.is_listing or fault.by_id or by_name]
    if not meant:
        raise ValueError(f"{where!r} is no listing: with by_id=True, a Stale is for reads by id, too.")
    return frozenset(each.name for each in meant)


def _refuse_unknown_route(where: str, method: str, path: str, versions: Collection[str]) -> None:
    has_version = begins_with_a_version(path)

    def said(operation: Operation) -> str:
        return operation.path if has_version else operation.bare_path

    fitting = possible(path, versions)
    known = [each for each in operations_of(versions) if not has_version or path.startswith(f"/{each.version}")]
    if any(method in ("", operation.method) for operation in fitting):
        return
    if fitting:
        meant = list(dict.fromkeys(f"{each.method} {said(each)}" for each in fitting))
        there = f" Did you mean {', '.join(meant[:_NEAREST])}?"
    elif method:
        there = near(where, list(dict.fromkeys(f"{each.method} {said(each)}" for each in known)))
    else:
        there = near(where, list(dict.fromkeys(said(each) for each in known)))
    raise ValueError(
        f"where must be a route that the API has, and {where!r} fits none.{there} docs/testing.md lists them; with "
        "unknown_route=True it may be one that the emulator does not know."
    )


def near(given: str, known: Iterable[str]) -> str:
    """Say which of the known are most like what was given: the end of a message, or nothing."""
    found = difflib.get_close_matches(given, known, _NEAREST, 0.5)
    return f" Did you mean {' or '.join(found)}?" if found else ""


def _check_whole(value: int, name: str, minimum: int | None = None, maximum: int | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int.")
    if minimum is not None and value < minimum:
        raise ValueError(f"{name} must be {minimum} or more.")
    if maximum is not None and value > maximum:
        raise ValueError(f"{name} must be {maximum} or less.")


def _check_delay(value: float, name: str) -> None:
    if check_seconds(value, name) > _LONGEST_DELAY:
        raise ValueError(f"{name} must be {_LONGEST_DELAY} seconds (some thirty years) at most.")


def _check_retry_after(value: float | str | None) -> None:
    if isinstance(value, str):
        _check_header("Retry-After", value)
    elif value is not None:
        check_seconds(value, "retry_after")


def _check_share(value: float, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number.")
    if math.isnan(value) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be from 0 to 1.")


def _check_truth(value: bool, name: str) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool.")


def _check_header(name: str, value: str) -> None:
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError("A header's name and value must be str.")
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a header's name.")
    if not value.isprintable():
        raise ValueError(f"The header {name} must be printable.")
