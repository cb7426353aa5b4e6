"""Servers that are not written in Python, or that put something else in the place of its threads: the real ones."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ..subprocess_program import run
from .scripted_server import answer, scripted_server
from .wire_data import ORGANIZATION

pytestmark = pytest.mark.deep

UWSGI = shutil.which("uwsgi", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))

APP = """
import asyncio, os
from confidentai_admin import AsyncConfidentAI, ConfidentAI
client = ConfidentAI("key", base_url=os.environ["URL"])
core = AsyncConfidentAI("key", base_url=os.environ["URL"])
async def ask():
    return (await core.whoami()).id
in_master = (os.getpid(), client.whoami().id, asyncio.run(ask()))
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    said = [os.getpid() != in_master[0], client.whoami().id, client.with_options(timeout=5).whoami().id]
    return [" ".join(map(str, [*said, asyncio.run(ask())])).encode()]
"""


@pytest.mark.skipif(UWSGI is None, reason="uwsgi is not installed")
@pytest.mark.parametrize("options", [[], ["--enable-threads"], ["--lazy-apps"], ["--py-call-osafterfork"]])
def test_workers_of_uwsgi(options: list[str], tmp_path: Path) -> None:
    """The workers of uWSGI, forked as it does by default and otherwise, call with what the master has made and used."""
    assert UWSGI is not None
    (tmp_path / "app.py").write_text(APP, encoding="utf-8")
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        program = subprocess.Popen(
            [UWSGI, "--http-socket", "127.0.0.1:0", "--wsgi-file", "app.py", "--master", "--processes", "2", *options],
            env={**os.environ, "URL": server.url, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=tmp_path,
            text=True,
            start_new_session=True,
        )
        try:
            assert program.stdout is not None
            said = []
            address = ""
            for line in program.stdout:
                said.append(line)
                if "bound to TCP address" in line:
                    address = line.partition("bound to TCP address ")[2].split()[0]
                if "spawned uWSGI worker 2" in line:
                    break
            else:
                raise AssertionError("".join(said))
            for _ in range(4):
                with urllib.request.urlopen(f"http://{address}/", timeout=20) as response:
                    body = response.read().decode()
                assert body == f"{'--lazy-apps' not in options} o o o"
        finally:
            os.killpg(program.pid, signal.SIGKILL)
            program.communicate()


GREEN_THREADS = {
    "gevent": "from gevent import monkey; patch = monkey.patch_all",
    "eventlet": "from eventlet import monkey_patch as patch",
}


@pytest.mark.parametrize("library", GREEN_THREADS)
@pytest.mark.parametrize("is_used_before", [False, True])
def test_threads_that_are_patched(library: str, is_used_before: bool) -> None:
    """Under the real library, each client's call names it, and the program ends; its way out works for all of them."""
    pytest.importorskip(library, reason=f"{library} is not installed")
    source = f"""
import sys, warnings
warnings.simplefilter("ignore")  # theirs
{GREEN_THREADS[library]}
if not {is_used_before}:
    patch(**eval(sys.argv[2]))
from confidentai_admin import ConfidentAI, ConfigurationError
clients = [ConfidentAI("key", base_url=sys.argv[1]) for _ in range(3)]
if {is_used_before}:
    print([client.whoami().id for client in clients])
    patch(**eval(sys.argv[2]))
for client in clients:
    try:
        print(client.whoami().id)
    except ConfigurationError as error:
        print("{library}" in str(error), "thread=False" in str(error))
"""
    with scripted_server() as server:
        server.otherwise = answer(ORGANIZATION)
        before = f"{['o'] * 3}\n" if is_used_before else ""
        for options, said in (("{}", "True True\n"), ("{'thread': False}", "o\n")):
            done = run(source, server.url, options)
            assert (done.status, done.output) == (0, before + said * 3), done.errors
