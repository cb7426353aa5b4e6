"""How much memory this process has, as the system counts it, in megabytes."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

_MEGA = 1e6


def resident() -> float:
    """The memory that it has now; where the system does not say, the most that it had."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except FileNotFoundError:
        return peak()
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEGA


def peak() -> float:
    """The most that it had, since ``forget_peak`` if the system has that."""
    with contextlib.suppress(FileNotFoundError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / _MEGA
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024) / _MEGA


def forget_peak() -> None:
    """Begin anew with ``peak``, where that is possible."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
