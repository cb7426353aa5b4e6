"""What goes wrong: faults and delays to draw from, and what the API's rules make of an attempt that met one."""

from __future__ import annotations

import enum
import json
import math
from typing import Any

import attrs
from hypothesis import strategies as st

from confidentai_admin.emulator import RecordedCall, faults

OWN_KEY = "confident_us_org_SequencesKeyThatNobodyMaySee0123456789"

#: How long a client waits for the next piece of an answer, in real seconds, where one may hang.
SHORT_READ = 0.15


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
_bodies = st.sampled_from([None, None, *_OTHERS, _ECHO])
_no_envelopes = st.sampled_from(_OTHERS)
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
_not_quite = st.sampled_from([_OTHERS, _TEMPTING, _MISSHAPEN]).flatmap(st.sampled_from)
# A success says that nothing was done.
_said_no = st.sampled_from([{"success": False, "error": "No.", "data": _NO_THINGS}, _ECHO])
_TEXTS = {
    "soon": 0.0,
    "-1": 0.0,
    "Wed, 21 Oct 2015 07:28:00 GMT": 0.0,
    "Fri, 01 Jan 2100 00:00:00 GMT": math.inf,
    "1" * 400: math.inf,
}
_waits = st.sampled_from([None, None, None, 0, 0.25, 1, 5, 30, 59, 60, 61, 3600, *_TEXTS])
_ends = st.sampled_from([None, None, {"Connection": "close"}])


def _answer(
    status: int, body: Any, after_work: bool, retry_after: float | str | None, headers: dict[str, str] | None
) -> faults.Answer:
    if body is None:
        return faults.Answer(status, retry_after=retry_after, after_work=after_work, headers=headers)
    return faults.Answer(status, body=body, retry_after=retry_after, after_work=after_work, headers=headers)


def _answers(
    statuses: list[int], bodies: st.SearchStrategy[Any], *, after_work: bool, waits: bool = False
) -> st.SearchStrategy[faults.Answer]:
    """Answers in place of the API's; ``after_work`` where what was done may stay done in spite of them."""
    return st.builds(
        _answer,
        st.sampled_from(statuses),
        bodies,
        st.booleans() if after_work else st.just(False),
        _waits if waits else st.none(),
        _ends,
    )


_keeps = st.sampled_from([0.0, 0.5, 0.9, 0.9, 1.0])
_resets = st.booleans()
_afterwards = st.booleans()

failures = _answers([500, 502, 504, 520], _bodies, after_work=True)
gateway_503 = _answers([503], _no_envelopes, after_work=True, waits=True)
losses = st.one_of(
    st.builds(faults.Drop, after_work=_afterwards, reset=_resets), st.builds(faults.Cut, _keeps, reset=_resets)
)
turned_away = st.one_of(
    _answers([429], _bodies, after_work=False, waits=True),
    _answers([503], st.sampled_from([None, _ECHO]), after_work=False, waits=True),
)
refusals = st.one_of(
    _answers([400, 401, 403, 408, 409, 418, 422], _bodies, after_work=False),
    # In the API's envelope this would be a lie, if an attempt before it did nothing either.
    _answers([404], _no_envelopes, after_work=False),
    _answers([200, 201], _said_no, after_work=False),
)
unreadable = st.one_of(
    _answers([200], _not_quite, after_work=True),
    _answers([200, 202], _not_quite, after_work=True),
    _answers([204], st.just(b""), after_work=True),
    _answers([302, 308], _bodies, after_work=True),
    st.builds(faults.Redirect, st.sampled_from(["/v1/projects", "http://127.0.0.1:1/"]), st.sampled_from([301, 307])),
    st.builds(faults.Truncate, _keeps),
)
harmless = st.one_of(
    st.builds(Trouble, st.builds(faults.Drip, st.sampled_from([0.0, 0.002]), st.sampled_from([1, 3]))),
    st.builds(
        Trouble,
        st.none(),
        delay_before=st.sampled_from([0.001, 0.01]),
        delay_after=st.sampled_from([0.0, 0.005]),
    ),
)
slow = st.one_of(
    st.builds(Trouble, st.builds(faults.Hang, after_work=_afterwards)),
    st.builds(Trouble, st.just(faults.Drip(20.0, 2))),
    # The work is done when nobody waits for it any more.
    st.just(Trouble(delay_before=20.0)),
    st.just(Trouble(delay_after=20.0)),
)


def _one_of(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One of them, each as often as it is named: `one_of` would take apart those that are choices themselves."""
    return st.sampled_from(strategies).flatmap(lambda strategy: strategy)


_again = _one_of(failures, gateway_503, losses, losses, turned_away).map(Trouble)
_any = _one_of(*[_again] * 8, *[refusals.map(Trouble)] * 4, *[unreadable.map(Trouble)] * 5, *[harmless] * 2, slow)
# An attempt in doubt, and then an answer that must not be taken for more than it says.
_doubtful = _one_of(losses, failures).map(Trouble)
_treacherous = _one_of(
    _answers([404], _no_envelopes, after_work=False),
    _answers([401, 409], _bodies, after_work=False),
    _answers([429], _bodies, after_work=False, waits=True),
    st.just(faults.Answer(429, retry_after=3600)),
    st.just(faults.Truncate(0.5)),
).map(Trouble)

#: What happens to the first request, the second, and so on.
scripts: st.SearchStrategy[tuple[Trouble | None, ...]] = _one_of(
    *[st.just(())] * 3,
    *[st.tuples(_any)] * 6,
    *[st.builds(lambda first, last: (*first, last), st.lists(_again, min_size=1, max_size=3), _any)] * 4,
    *[st.tuples(_doubtful, _treacherous)] * 3,
    *[st.lists(st.one_of(st.none(), _any), min_size=1, max_size=6).map(tuple)] * 3,
)

#: What an outage is like: every attempt may be worth a repetition, and none has to be waited for.
outages = st.one_of(
    _answers([500, 502], _bodies, after_work=True),
    st.builds(faults.Answer, st.just(503)),
    st.builds(faults.Drop, after_work=_afterwards, reset=_resets),
    st.builds(faults.Cut, _keeps),
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


def judge(call: RecordedCall) -> Attempt:
    """What the request came to, from the fault that was applied to it and from the API's own answer."""
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
    if payload is not None:
        try:
            content = json.loads(payload[0])
        except (ValueError, RecursionError):
            content = None
        success = content.get("success") if isinstance(content, dict) else None
    is_enveloped = isinstance(success, bool)
    if fault.status < 300:
        verdict = Verdict.REFUSED if success is False else Verdict.UNREADABLE
    elif fault.status < 400:
        verdict = Verdict.UNREADABLE
    elif fault.status == 429 or (fault.status == 503 and is_enveloped):
        verdict = Verdict.TURNED_AWAY
    else:
        verdict = Verdict.FAILED if fault.status >= 500 else Verdict.REFUSED
    return Attempt(verdict, fault.status, is_enveloped, _seconds(fault.retry_after))


def _seconds(retry_after: float | str | None) -> float:
    return _TEXTS[retry_after] if isinstance(retry_after, str) else float(retry_after or 0)
