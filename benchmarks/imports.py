"""Importing in a fresh process."""

from __future__ import annotations

import subprocess
import sys

from .target import API_KEY, Target
from .timing import Values

_STATEMENTS = {
    "aiohttp, attrs, cattrs, anyio": "import aiohttp, attrs, cattrs, anyio",
    "confidentai_admin": "import confidentai_admin",
    "confidentai_admin, and a client": f"import confidentai_admin; confidentai_admin.ConfidentAI('{API_KEY}')",
    "confidentai": "import confidentai",
    "openai": "import openai",
    "aiohttp, attrs, cattrs, anyio, again": "import aiohttp, attrs, cattrs, anyio",
}

COMPETITORS = tuple(_STATEMENTS)

_PROGRAM = """
import time
began = time.perf_counter()
{}
took = time.perf_counter() - began
from benchmarks.memory import resident
print(took * 1000, resident())
"""


def measure(competitor: str, _: Target) -> Values:
    """Milliseconds that it takes, and the megabytes that the process has then."""
    command = [sys.executable, "-c", _PROGRAM.format(_STATEMENTS[competitor])]
    subprocess.run(command, stdout=subprocess.PIPE, check=True)  # it compiles, and reads the files from the disk
    took, resident = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return {"time": float(took), "resident": float(resident)}
