"""The command: `python -m confidentai_admin.emulator`."""

import argparse
import asyncio
import contextlib
import json
import signal
from collections.abc import Sequence
from typing import TextIO

from confidentai_admin._command import WRONG_USE, CommandError, output, run, say

from ._contract.choices import PLANS
from ._contract.versions import VERSIONS
from .server import Emulator

PROGRAM = "python -m confidentai_admin.emulator"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until Ctrl-C or SIGTERM; return the exit status."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Serve the Confident AI management API on this machine, from memory. "
        "When it is ready, one JSON line on standard output gives the url and the api_key.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="the port; 0, the default, takes a free one")
    parser.add_argument("--api-key", help="the organization key to accept, 13 characters or more; made up if not given")
    parser.add_argument("--plan", help=f"the organization's plan: {', '.join(PLANS)} (default: the seed's, or TEAM)")
    parser.add_argument("--seed", metavar="FILE", help="a JSON file that describes the first state")
    parser.add_argument(
        "--status",
        metavar="NAME=STATUS",
        action="append",
        default=[],
        help="refuse by this rule with another status; may be given for each rule that is assumed, not published",
    )
    parser.add_argument(
        "--api-versions",
        metavar="VERSION",
        nargs="+",
        default=list(VERSIONS),
        help="the versions of the API to serve (default: %(default)s); only v1 makes an older server",
    )
    parser.add_argument("--project-limit", type=int, help="how many projects the plan allows in v2 (default: any)")
    parser.add_argument(
        "--second-rotation",
        default="supersede",
        help="what a rotation of a key does that is being rotated: supersede, refuse, old-dies (default: %(default)s)",
    )
    chosen = parser.parse_args(arguments)
    # Ctrl-C may come before the loop listens for it, or where the loop cannot.
    with contextlib.suppress(KeyboardInterrupt):
        out = output()
        try:
            emulator = Emulator(
                host=chosen.host,
                port=chosen.port,
                api_key=chosen.api_key,
                plan=chosen.plan,
                seed=chosen.seed,
                statuses=dict(map(_status, chosen.status)),
                api_versions=chosen.api_versions,
                project_limit=chosen.project_limit,
                second_rotation=chosen.second_rotation,
            )
            asyncio.run(_serve(emulator, out))
        except (ValueError, OverflowError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise CommandError(str(error), WRONG_USE) from None
    return 0


def _status(given: str) -> tuple[str, int]:
    name, _, status = given.partition("=")
    if not (status.isascii() and status.isdigit() and len(status) == 3):
        raise ValueError(f"--status must be NAME=STATUS with a status of three digits, not {given!r}.")
    return name, int(status)


async def _serve(emulator: Emulator, out: TextIO) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Windows' loop cannot; there Ctrl-C is a KeyboardInterrupt and SIGTERM ends the process.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    async with emulator:
        say(out, json.dumps({"url": emulator.url, "api_key": emulator.api_key}))
        await stop.wait()


if __name__ == "__main__":
    run(PROGRAM, main)
