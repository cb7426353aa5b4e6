"""Serve an emulator that takes its time with each answer: ``python benchmarks/slow_emulator.py SECONDS``.

It prints its URL and key as a line of JSON, and ends when its standard input does.
"""

from __future__ import annotations

import json
import sys

from confidentai_admin.emulator import Emulator


def main() -> None:
    """Serve until standard input ends."""
    with Emulator() as emulator:
        emulator.faults.add("/*", delay_after=float(sys.argv[1]), times=None)
        sys.stdout.write(json.dumps({"url": emulator.url, "api_key": emulator.api_key}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
