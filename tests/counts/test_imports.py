"""What ``import confidentai_admin`` loads, and what waits for a client."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

import confidentai_admin

from ..subprocess_program import COLD, run

#: The libraries that the import of the package may take along; some are there for older Pythons.
LIBRARIES = {"anyio", "attr", "attrs", "cattrs", "idna", "sniffio", "typing_extensions"}

#: And what of Python's own it takes along beside them.
STANDARD = {
    *("_bisect", "_blake2", "_datetime", "_hashlib", "_hmac", "_json", "_random", "_sha2", "_sha512", "bisect"),
    *("calendar", "datetime", "email", "hashlib", "hmac", "ipaddress", "json", "locale", "quopri", "random", "secrets"),
    *("unicodedata", "urllib"),
}

#: What a client's constructor loads.
LATER = {
    f"_http.{name}" for name in ("connection_limiter", "exchange", "key_mask", "name_lookups", "pool", "trace_hooks")
}

LOADED = """
import sys

before = set(sys.modules)  # what Python itself loads, and coverage, if it measures
{then}
import json

new = [
    name
    for name, module in list(sys.modules.items())
    if name not in before and "site-packages" in (getattr(module, "__file__", None) or "")
]
own = [name for name in sys.modules if name.partition(".")[0] == "confidentai_admin"]
print(json.dumps([new, own]))
"""


@functools.cache
def loaded(then: str) -> tuple[set[str], set[str]]:
    """The libraries that a program has loaded, and the package's own modules."""
    finished = run(LOADED.format(then=then), start=COLD)
    libraries, own = json.loads(finished.output)
    tops = {name.partition(".")[0] for name in libraries} - {"confidentai_admin"}
    return tops, set(own)


def test_the_import_loads_no_aiohttp() -> None:
    """Who imports the package, for its models or errors, loads attrs, cattrs and anyio, and nothing of aiohttp's."""
    libraries, _ = loaded("import confidentai_admin")
    assert libraries <= LIBRARIES
    assert {"anyio", "attrs", "cattrs"} <= libraries


def test_the_import_loads_little_of_pythons_own() -> None:
    """Beside what attrs, cattrs and anyio need, with asyncio, it is a handful of modules."""
    program = """
import sys
import anyio.to_thread, asyncio, attrs, cattrs.cols, cattrs.gen
before = set(sys.modules)
import confidentai_admin
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before} - {"confidentai_admin"}))
"""
    assert set(run(program, start=COLD).output.split()) <= STANDARD


def test_the_import_loads_what_a_client_is_made_of() -> None:
    """All modules are loaded but what sends requests, the emulator, the demo and the generator."""
    _, own = loaded("import confidentai_admin")
    package = Path(confidentai_admin.__file__).parent
    places = [path.relative_to(package) for path in package.rglob("*.py")]
    modules = {".".join(place.with_suffix("").parts).removesuffix(".__init__") for place in places}
    rest = {name for name in modules if name.partition(".")[0] in ("_codegen", "_command", "demo", "emulator")}
    assert own == {"confidentai_admin"} | {
        f"confidentai_admin.{name}" for name in modules - rest - LATER - {"__init__"}
    }


@pytest.mark.parametrize("face", ["ConfidentAI", "AsyncConfidentAI"])
def test_a_client_loads_aiohttp(face: str) -> None:
    """A client's constructor loads all that its first call needs: in the loop's thread, an import may meet a fork."""
    make = f"import confidentai_admin\nclient = confidentai_admin.{face}('k' * 20)"
    libraries, own = loaded(make)
    assert "aiohttp" in libraries
    assert {f"confidentai_admin.{name}" for name in LATER} <= own


def test_a_blocking_call_loads_nothing() -> None:
    """No module is loaded by a call, but for those of Python's own."""
    program = """
import sys
from confidentai_admin import ConfidentAI
from confidentai_admin.emulator import Emulator

with Emulator() as emulator, ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
    before = set(sys.modules)
    client.whoami()
    client.projects.ensure("one", key="a")
    list(client.organization().members.iter())
    print(sorted(name for name in set(sys.modules) - before if name.partition(".")[0] not in sys.stdlib_module_names))
"""
    assert run(program, start=COLD).output.strip() == "[]"
