"""Where each microsecond of a small blocking call goes, as Markdown: ``python -m benchmarks.one_call``.

The moments between the stages are noted by what is put around a few functions, which itself takes some microseconds of
a call.
"""

from __future__ import annotations

import importlib
import statistics
import time
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from confidentai_admin import ConfidentAI, _exchange, _portal, _transport

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
    "written": ("aiohttp", "the request is written, on a connection on which nothing has come"),
    "received": ("the server", "the way there and back, and the loop wakes up"),
    "headers": ("aiohttp", "the answer is parsed, and the call goes on"),
    "body": ("aiohttp", "the body is read, and the connection goes back"),
    "masked": ("this SDK", "the client's own key is looked for in the answer"),
    "decoded": ("json", "JSON is decoded"),
    "structured": ("cattrs", "the model is made, and each of its fields looked at"),
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

    after(_portal, "_submit", "submitted")
    before(_portal._Call, "start", "begun")
    before(_exchange, "exchange", "exchange")
    before(aiohttp.ClientSession, "request", "request")
    after(importlib.import_module("asyncio.selector_events")._SelectorSocketTransport, "write", "written")
    before(ResponseHandler, "data_received", "received")
    before(_exchange, "headers_without_key", "headers")
    before(_exchange, "without_key", "body")
    after(_exchange, "without_key", "masked")
    before(_transport, "read_success", "decoded")
    after(_transport, "read_success", "structured")
    before(_portal._Call, "_end", "ended")
    after(_portal._Call, "wait", "woken")


def profile(url: str) -> dict[str, float]:
    """The median of each stage, in microseconds."""
    moments: dict[str, int] = {}
    watch(moments)
    spent: dict[str, list[int]] = {stage: [] for stage in STAGES}
    with ConfidentAI(API_KEY, base_url=url) as client:
        for number in range(WARM_UP + CALLS):
            moments.clear()
            last = time.perf_counter_ns()
            client.whoami()
            moments["returned"] = time.perf_counter_ns()
            for stage in STAGES if number >= WARM_UP else ():
                spent[stage].append(moments[stage] - last)
                last = moments[stage]
    return {stage: statistics.median(times) / 1000 for stage, times in spent.items()}


def main() -> None:
    """Print the table."""
    with started_server() as server:
        server.reset(0)
        medians = profile(server.plain_url)
    print("| µs | who | what |\n| ---: | --- | --- |")
    for stage, (who, what) in STAGES.items():
        print(f"| {medians[stage]:.0f} | {who} | {what} |")
    print(f"| {sum(medians.values()):.0f} | | |")


if __name__ == "__main__":
    main()
