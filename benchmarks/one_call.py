"""Where each microsecond of a small blocking call goes, as Markdown: ``python -m benchmarks.one_call``.

The moments between the stages are noted by what is put around a few functions, which itself takes some microseconds of
a call.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Iterator
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from confidentai_admin import ConfidentAI
from confidentai_admin._api.version import Version
from confidentai_admin._http import exchange as _exchange
from confidentai_admin._portal import loop_thread as _loop_thread
from confidentai_admin._portal.pending_call import PendingCall

from .server_process import started_server
from .target import API_KEY

CALLS = 5_000
WARM_UP = 200

#: The stages by the moments at which they end, in their order: who is at work, and what happens.
STAGES = {
    "submitted": ("caller", "the portal takes the call, and wakes the loop"),
    "begun": ("hand-over", "the loop's thread wakes up"),
    "exchange": ("this SDK", "the call is checked; its place, limits and connections are looked up"),
    "request": ("this SDK", "the request is put together"),
    "written": ("aiohttp", "the request is made and written, after this SDK's look at the connection (2 µs)"),
    "received": ("the server", "the way there and back, and the loop wakes up"),
    "headers": ("aiohttp", "the answer is parsed, and the call goes on"),
    "body": ("aiohttp", "the body is read, and the connection goes back"),
    "masked": ("this SDK", "the client's own key is looked for in the answer"),
    "decoded": ("json", "JSON is decoded, and what it says of the call is noted"),
    "structured": ("this SDK", "the model is made, and each of its fields looked at"),
    "ended": ("this SDK", "what was heard of the server is noted"),
    "woken": ("hand-over", "the caller's thread wakes up"),
    "returned": ("caller", "the result is handed out"),
}


def watch(moments: dict[str, int]) -> None:
    """Have the moments of a call noted, in nanoseconds."""

    def note(moment: str) -> None:
        # The first time counts, but an answer is not received before the request is written.
        if moment not in moments and (moment != "received" or "written" in moments):
            moments[moment] = time.perf_counter_ns()

    def before(place: Any, name: str, moment: str) -> None:
        function = getattr(place, name)

        def noting(*args: Any, **kwargs: Any) -> Any:
            note(moment)
            return function(*args, **kwargs)

        setattr(place, name, noting)

    def after(place: Any, name: str, moment: str) -> None:
        function = getattr(place, name)

        def noting(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            note(moment)
            return result

        setattr(place, name, noting)

    after(_loop_thread, "_submit", "submitted")
    before(PendingCall, "start", "begun")
    before(_exchange, "exchange", "exchange")
    before(aiohttp.ClientSession, "request", "request")
    after(importlib.import_module("asyncio.selector_events")._SelectorSocketTransport, "write", "written")
    before(ResponseHandler, "data_received", "received")
    before(_exchange, "headers_without_key", "headers")
    before(_exchange, "without_key", "body")
    after(_exchange, "without_key", "masked")
    before(Version, "read", "decoded")
    after(Version, "read", "structured")
    before(PendingCall, "_end", "ended")
    after(PendingCall, "wait", "woken")


def calls_of(client: ConfidentAI) -> Iterator[tuple[int, int]]:
    """When each call began and ended, in nanoseconds, without those at the beginning."""
    for number in range(WARM_UP + CALLS):
        began = time.perf_counter_ns()
        client.whoami()
        if number >= WARM_UP:
            yield began, time.perf_counter_ns()


def profile(url: str) -> tuple[float, dict[str, float]]:
    """The medians of a call that is not watched, and of each stage of one that is, in microseconds."""
    with ConfidentAI(API_KEY, base_url=url) as client:
        whole = statistics.median(ended - began for began, ended in calls_of(client))
    moments: dict[str, int] = {}
    watch(moments)
    spent: dict[str, list[int]] = {stage: [] for stage in STAGES}
    with ConfidentAI(API_KEY, base_url=url) as client:
        for began, ended in calls_of(client):
            last = began
            for stage in STAGES:
                moment = moments.get(stage, ended)
                spent[stage].append(moment - last)
                last = moment
            moments.clear()
    return whole / 1000, {stage: statistics.median(times) / 1000 for stage, times in spent.items()}


def main() -> None:
    """Print the table."""
    with started_server() as server:
        server.reset(0)
        whole, medians = profile(server.plain_url)
    print("| µs | who | what |\n| ---: | --- | --- |")
    for stage, (who, what) in STAGES.items():
        print(f"| {medians[stage]:.0f} | {who} | {what} |")
    print(f"\n{sum(medians.values()):.0f} µs in all; {whole:.0f} µs when nobody watches.")


if __name__ == "__main__":
    main()
