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
