"""What goes wrong: faults and delays to draw from, and what the API's rules make of an attempt that met one."""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, TypeVar

import attrs

from confidentai_admin.emulator import RecordedCall, faults

from .chance import Chance, built, just, one_of, sampled, several

T = TypeVar("T")

OWN_KEY = "confident_us_org_SequencesKeyThatNobodyMaySee0123456789"

#: How long a client waits for the next piece of an answer, in real seconds, where one may hang.
SHORT_READ = 0.15


@attrs.frozen
class Mistyped(faults.Drip):
    """The API's own answer, in which one value that is no list or object has another type.

    The emulator has no such fault: whoever plays this writes the answer anew, by `mistyped`.
    """

    pause: float = 0.0
    pieces: int = 1
    choice: int = 0


@attrs.frozen
class Trouble:
    """What happens to one request."""

    fault: faults.Fault | None = None
    delay_before: float = attrs.field(default=0.0, kw_only=True)
    delay_after: float = attrs.field(default=0.0, kw_only=True)

    @property
    def is_slow(self) -> bool:
        """Whether the client has to lose its patience."""
        return (
            isinstance(self.fault, faults.Hang)
            or (isinstance(self.fault, faults.Drip) and self.fault.pause > 1)
            or max(self.delay_before, self.delay_after) > 1
        )

    @property
    def is_misshapen(self) -> bool:
        """Whether it is a success of a wrong shape: who asks for no shape gets what there is."""
        if isinstance(self.fault, Mistyped):
            return True
        return isinstance(self.fault, faults.Answer) and any(self.fault.body is body for body in _MISSHAPEN)


# What looks like listings, all of them empty, in an answer that is no success.
_NO_THINGS: dict[str, Any] = {
    "projects": [],
    "apiKeys": [],
    "invitations": [],
    "members": [],
    "permissions": [],
    "policies": [],
    "roles": [],
    "governancePolicies": [],
    "total": 0,
    "id": 1,
    "deleted": True,
    "removed": True,
}
_PAGE = "<html><body><h1>The gateway speaks</h1></body></html>"
_ECHO = {"success": False, "error": f"The key {OWN_KEY} cannot be served.", "deprecated": False}
_OTHERS = [
    _PAGE,
    f"<p>{OWN_KEY}</p>",
    b"",
    b"\xff\xfe\x00",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"{}",
    b'{"success":"false","error":"no"}',
    b'{"success":null,"error":7}',
    b"[" * 3000,
]
# The default body, which is the API's failure envelope, is marked by None here.
_bodies = sampled(None, None, None, *_OTHERS, _ECHO)
_no_envelopes = sampled(*_OTHERS)
_TEMPTING: list[Any] = [
    {"data": _NO_THINGS},
    {"success": None, "data": _NO_THINGS},
    {"success": "true", "data": _NO_THINGS},
    {"success": 1, "data": _NO_THINGS},
    {"success": True},
    {"success": True, "Data": _NO_THINGS},
]
_MISSHAPEN: list[Any] = [
    {"success": True, "data": None},
    {"success": True, "data": []},
    {"success": True, "data": dict.fromkeys(_NO_THINGS)},
    {"success": True, "data": {name: {} for name in _NO_THINGS}},
    {"success": True, "data": dict.fromkeys(_NO_THINGS, "0") | {"id": True, "deleted": "true"}},
]
_not_quite = one_of(sampled(*_OTHERS), *[sampled(*_TEMPTING)] * 2, sampled(*_MISSHAPEN))
# A success says that nothing was done.
_said_no = sampled({"success": False, "error": "No.", "data": _NO_THINGS}, _ECHO)
_TEXTS = {
    "soon": 0.0,
    "-1": 0.0,
    "Wed, 21 Oct 2015 07:28:00 GMT": 0.0,
    "Fri, 01 Jan 2100 00:00:00 GMT": math.inf,
    "1" * 400: math.inf,
}
_waits = sampled(None, None, None, 0, 0.25, 1, 5, 30, 59, 60, 61, 3600, *_TEXTS)
_ends = sampled(None, None, {"Connection": "close"})


def _answer(
    status: int, body: Any, after_work: bool, retry_after: float | str | None, headers: dict[str, str] | None
) -> faults.Answer:
    if body is None:
        return faults.Answer(status, retry_after=retry_after, after_work=after_work, headers=headers)
    return faults.Answer(status, body=body, retry_after=retry_after, after_work=after_work, headers=headers)


def _answers(
    statuses: list[int], bodies: Chance[Any], *, after_work: bool, waits: bool = False
) -> Chance[faults.Answer]:
    """Answers in place of the API's; ``after_work`` where what was done may stay done in spite of them."""
    return built(
        _answer, sampled(*statuses), bodies, sampled(False, after_work), _waits if waits else just(None), _ends
    )


_either = sampled(False, True)
_keeps = sampled(0.0, 0.5, 0.9, 0.9, 1.0)

_failures = _answers([500, 502, 504, 520], _bodies, after_work=True)
_gateway_503 = _answers([503], _no_envelopes, after_work=True, waits=True)
_losses = one_of(*[built(faults.Drop, after_work=_either, reset=_either)] * 2, built(faults.Cut, _keeps, reset=_either))
_turned_away = one_of(
    _answers([429], _bodies, after_work=False, waits=True),
    _answers([503], sampled(None, _ECHO), after_work=False, waits=True),
)
_refusals = one_of(
    *[_answers([400, 401, 403, 408, 409, 418, 422], _bodies, after_work=False)] * 2,
    # In the API's envelope this would be a lie, if an attempt before it did nothing either.
    _answers([404], _no_envelopes, after_work=False),
    _answers([200, 201], _said_no, after_work=False),
)
_unreadable = one_of(
    *[_answers([200, 202], _not_quite, after_work=True)] * 4,
    _answers([204], just(b""), after_work=True),
    _answers([302, 308], _bodies, after_work=True),
    built(faults.Redirect, sampled("/v1/projects", "http://127.0.0.1:1/"), sampled(301, 307)),
    *[built(faults.Truncate, _keeps)] * 2,
    *[built(Mistyped, choice=sampled(*range(1000)))] * 4,
)
_harmless = one_of(
    built(Trouble, built(faults.Drip, sampled(0.0, 0.002), sampled(1, 3))),
    built(Trouble, delay_before=sampled(0.001, 0.01), delay_after=sampled(0.0, 0.005)),
)
_slow = one_of(
    built(Trouble, built(faults.Hang, after_work=_either)),
    just(Trouble(faults.Drip(20.0, 2))),
    # The work is done when nobody waits for it any more.
    just(Trouble(delay_before=20.0)),
    just(Trouble(delay_after=20.0)),
)
_again = built(Trouble, one_of(_failures, _gateway_503, _losses, _losses, _turned_away))
_any = one_of(
    *[_again] * 8, *[built(Trouble, _refusals)] * 4, *[built(Trouble, _unreadable)] * 6, *[_harmless] * 2, _slow
)
# An attempt in doubt, and then an answer that must not be taken for more than it says.
_doubtful = built(Trouble, one_of(_losses, _failures))
_treacherous = built(
    Trouble,
    one_of(
        _answers([404], _no_envelopes, after_work=False),
        _answers([401, 409], _bodies, after_work=False),
        _answers([429], _bodies, after_work=False, waits=True),
        just(faults.Answer(429, retry_after=3600)),
        just(faults.Truncate(0.5)),
    ),
)

#: What happens to the first request, the second, and so on.
scripts: Chance[Sequence[Trouble | None]] = one_of(
    *[just(())] * 4,
    *[several(_any, 1, 1)] * 7,
    *[built(lambda first, last: (*first, last), several(_again, 1, 3), _any)] * 4,
    *[built(lambda *both: both, _doubtful, _treacherous)] * 3,
    *[several(one_of(just(None), _any), 1, 6)] * 3,
)

#: What an outage is like: every attempt may be worth a repetition, and none has to be waited for.
outages: Chance[faults.Fault] = one_of(
    _answers([500, 502], _bodies, after_work=True),
    just(faults.Answer(503)),
    built(faults.Drop, after_work=_either, reset=_either),
    built(faults.Cut, _keeps),
)


def _is_bare(fault: faults.Fault) -> bool:
    """Whether this tells a deletion that it is done, which it may not be: then nobody can know."""
    return isinstance(fault, faults.Answer) and _judge_answer(fault).is_bare_success


def _but(chance: Chance[T], is_left_out: Callable[[T], bool]) -> Chance[T]:
    def draw(random: Random) -> T:
        while is_left_out(value := chance(random)):
            pass
        return value

    return draw


_late = built(
    faults.Late, sampled(0.5, 2.0, 2.0, 4.0, 20.0), one_of(*[just(faults.Drop())] * 2, just(faults.Answer(504)))
)

#: What happens to one request of a job: all of these, but for what has another type and for what only hangs.
job_accidents: Chance[faults.Fault] = _but(
    one_of(
        *[_late] * 6,
        *[_losses] * 4,
        _failures,
        _gateway_503,
        _turned_away,
        *[_refusals] * 2,
        *[_unreadable] * 3,
        sampled(faults.Hang(), faults.Hang(after_work=True), faults.Late(2, faults.Hang()), faults.Drip(0.0, 3)),
    ),
    lambda fault: isinstance(fault, Mistyped) or _is_bare(fault),
)

#: What a server is like in front of which a gateway lets some requests a second through.
limits: Chance[faults.RateLimit | None] = one_of(
    *[just(None)] * 3,
    *[built(faults.RateLimit, sampled(2, 10, 50), sampled(None, 1, 1, 5), sampled(1, 1, None, 0.25, 30, 30))] * 2,
)

#: What a server is like whose listings lag, and perhaps also what is read by id.
stales: Chance[faults.Stale | None] = one_of(
    *[just(None)] * 2, *[built(faults.Stale, sampled(1, 4), by_id=sampled(False, False, True))] * 3
)


# What an attempt came to ----------------------------------------------------------------------------------------------


class Verdict(enum.Enum):
    """What a client can know of an attempt, by the rules."""

    FINE = "answered with success"
    REFUSED = "refused, and nothing done"
    TURNED_AWAY = "not done, for now"
    FAILED = "a failure after which it may have been done"
    LOST = "no whole answer, so that it may have been done"
    UNREADABLE = "an answer that tells nothing, so that it may have been done"

    @property
    def leaves_doubt(self) -> bool:
        return self in (Verdict.FAILED, Verdict.LOST, Verdict.UNREADABLE)


@attrs.frozen
class Attempt:
    """One request, as its sender saw it."""

    verdict: Verdict
    status: int | None = None
    is_enveloped: bool = True
    retry_after: float = 0.0
    is_bare_success: bool = False  # a success and no data, which is enough for a deletion


def mistyped(content: bytes, choice: int) -> bytes:
    """An answer with one value of a wrong type, which no client may take for what it looks like."""
    answer = json.loads(content)
    by_type: dict[str, list[tuple[Any, Any]]] = {}
    for container, place in _values(answer["data"]):
        by_type.setdefault(type(container[place]).__name__, []).append((container, place))
    if not by_type:
        return content
    # Each type has its turn, though there are more texts than anything else, and so has each wrong one.
    turn, kind = divmod(choice, len(by_type))
    container, place = Random(choice).choice(list(by_type.values())[kind])
    value = container[place]
    if place == "id" and "deleted" in container:
        wrong: list[Any] = [True, None]  # the model has both kinds of ids there
    elif value is None:
        wrong = [7, True]
    elif isinstance(value, bool):
        wrong = [str(value).lower(), int(value), None]
    elif isinstance(value, int):
        wrong = [f"no {value}" if place == "id" else str(value), True, None]  # an id of digits may be a text
    else:
        wrong = [7, True, *([] if place in _NULLABLE else [None])]
    container[place] = wrong[turn % len(wrong)]
    return json.dumps(answer).encode()


# What may be null, at least somewhere.
_NULLABLE = (
    *("name", "description", "image", "created_at", "lastUsed"),
    *("organizationId", "projectId", "organizationRoleId", "projectRoleId"),
)


def _values(part: Any) -> Iterator[tuple[Any, Any]]:
    """Where in a JSON value there are others that are no lists or objects."""
    for place, value in part.items() if isinstance(part, dict) else enumerate(part):
        if isinstance(value, (dict, list)):
            yield from _values(value)
        else:
            yield part, place


def judge(call: RecordedCall, *, is_mistyped: bool = False) -> Attempt:
    """What the request came to, from the fault that was applied to it and from the API's own answer."""
    if is_mistyped:
        return Attempt(Verdict.UNREADABLE, call.status)
    fault = None if call.fault is None else call.fault.fault
    if isinstance(fault, faults.Answer):
        return _judge_answer(fault)
    if isinstance(fault, faults.Redirect):
        return Attempt(Verdict.UNREADABLE, fault.status)
    if isinstance(fault, (faults.Drop, faults.Cut, faults.Hang)) or call.status is None:
        return Attempt(Verdict.LOST)
    if isinstance(fault, faults.Truncate):
        verdict = Verdict.UNREADABLE if call.status == 200 else Verdict.REFUSED
        return Attempt(verdict, call.status, is_enveloped=False)
    return Attempt(Verdict.FINE if call.status == 200 else Verdict.REFUSED, call.status)


def _judge_answer(fault: faults.Answer) -> Attempt:
    payload = fault.payload()
    success: object = False
    has_data = False
    if payload is not None:
        try:
            content = json.loads(payload[0])
        except (ValueError, RecursionError):
            content = None
        success = content.get("success") if isinstance(content, dict) else None
        has_data = isinstance(content, dict) and content.get("data") is not None
    is_enveloped = isinstance(success, bool)
    if fault.status < 300:
        verdict = Verdict.REFUSED if success is False else Verdict.UNREADABLE
    elif fault.status < 400:
        verdict = Verdict.UNREADABLE
    elif fault.status == 429 or (fault.status == 503 and is_enveloped):
        verdict = Verdict.TURNED_AWAY
    else:
        verdict = Verdict.FAILED if fault.status >= 500 else Verdict.REFUSED
    is_bare_success = fault.status == 204 or (fault.status < 300 and success is True and not has_data)
    return Attempt(verdict, fault.status, is_enveloped, _seconds(fault.retry_after), is_bare_success)


def _seconds(retry_after: float | str | None) -> float:
    return _TEXTS[retry_after] if isinstance(retry_after, str) else float(retry_after or 0)
