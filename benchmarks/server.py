"""The server, a process of its own that costs as little as it can: ``python -m benchmarks.server``.

It prints a line of JSON with its URLs and with the file of the CA to trust. Then it takes orders on its standard input,
a line each, and ends when that ends: ``reset N`` begins anew, with N projects in the world of the jobs, and ``counts``
prints how many connections and requests there were since.

Before the API's own paths, ``/after20ms`` asks for an answer after 20 ms, and ``/jobs`` for the world of the jobs, in
which projects and keys can be made.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import ssl
import sys
import threading
from typing import Any, cast

import trustme

from . import answers

DELAY = 0.02  # seconds

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_KEYS = re.compile(r"/v1/projects/(\w+)/api-keys(?:/(\d+))?")


class JobWorld:
    """Projects and their keys, as far as jobs over many projects need them."""

    def __init__(self, projects: int) -> None:
        self._projects: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, dict[int, dict[str, Any]]] = {}
        self._last_key = 0
        for number in range(projects):
            self._create_project({"name": f"tenant {number}"})

    def answer(self, method: str, target: str, body: bytes) -> bytes:
        """The response to a request."""
        given = json.loads(body) if body else {}
        data: object
        if target == "/v1/projects":
            data = self._create_project(given) if method == "POST" else {"projects": list(self._projects.values())}
        elif (match := _KEYS.fullmatch(target)) is not None:
            data = self._answer_of_keys(method, match[1], match[2], given)
        else:
            raise LookupError(f"no answer to {method} {target}")
        return answers.response(answers.envelope(data))

    def _create_project(self, given: dict[str, Any]) -> dict[str, Any]:
        number = len(self._projects)
        project = answers.project(number, given["name"], given.get("description"))
        self._projects[project["id"]] = project
        self._keys[project["id"]] = {}
        return {"project": project, "apiKey": self._create_key(project["id"], "Default Key")}

    def _create_key(self, project_id: str, name: str) -> dict[str, Any]:
        self._last_key += 1
        number = self._last_key
        value = f"confident_us_proj_{number:043}"
        key = answers.api_key(number, name, value)
        self._keys[project_id][number] = {**key, "value": "*" * 15 + value[-6:]}
        return key

    def _answer_of_keys(self, method: str, project_id: str, key_id: str | None, given: dict[str, Any]) -> object:
        keys = self._keys[project_id]
        if key_id is None:
            if method == "POST":
                return {"apiKey": self._create_key(project_id, given["name"])}
            return {"apiKeys": list(keys.values())}
        if method == "PUT":
            keys[int(key_id)]["valid"] = given["valid"]
        return {"apiKey": keys[int(key_id)]}


class Service:
    """What all connections have in common."""

    def __init__(self) -> None:
        self.prepared = answers.prepared()
        self.reset(0)

    def reset(self, projects: int) -> None:
        """Begin anew."""
        self.connections = self.requests = 0
        self.jobs = JobWorld(projects)

    def order(self, line: str) -> dict[str, int]:
        """Do what a line says."""
        match line.split():
            case ["reset", projects]:
                self.reset(int(projects))
            case ["counts"]:
                pass
            case _:
                raise ValueError(f"no such order: {line!r}")
        return {"connections": self.connections, "requests": self.requests}


class Connection(asyncio.Protocol):
    """Answers the requests on one connection, which is kept."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self._transport = cast("asyncio.Transport", transport)
        self._service.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer what has come in full."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n") + 4) > 3:
            if not self._received.startswith(b"GET"):
                length = _LENGTH.search(self._received, 0, end)
                if length is None:
                    raise ValueError("a request must have a length")
                body_end = end + int(length[1])
            else:
                body_end = end
            if len(self._received) < body_end:
                return
            method, target, _ = self._received[: self._received.index(b"\r\n")].decode().split(" ")
            body = self._received[end:body_end]
            self._received = self._received[body_end:]
            self._answer(method, target, body)

    def _answer(self, method: str, target: str, body: bytes) -> None:
        self._service.requests += 1
        is_late = target.startswith("/after20ms")
        target = target.removeprefix("/after20ms")
        if target.startswith("/jobs"):
            response = self._service.jobs.answer(method, target.removeprefix("/jobs"), body)
        else:
            response = self._service.prepared[target]
        if is_late:
            self._loop.call_later(DELAY, self._transport.write, response)
        else:
            self._transport.write(response)


async def serve(ca_file: str, certificate: trustme.LeafCert) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    service = Service()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    plain = await loop.create_server(lambda: Connection(service, loop), "127.0.0.1", 0, backlog=1024)
    tls = await loop.create_server(lambda: Connection(service, loop), "127.0.0.1", 0, backlog=1024, ssl=context)
    ports = [server.sockets[0].getsockname()[1] for server in (plain, tls)]
    _say({"plain": f"http://127.0.0.1:{ports[0]}", "tls": f"https://127.0.0.1:{ports[1]}", "ca_file": ca_file})
    ended = asyncio.Event()

    def read_orders() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lambda line: _say(service.order(line)), line)
        loop.call_soon_threadsafe(ended.set)

    # asyncio cannot read a standard input everywhere.
    threading.Thread(target=read_orders, daemon=True).start()
    await ended.wait()
    plain.close()
    tls.close()


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve, with a CA of its own."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of the end of the block below
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started it, and ends this by its standard input
    ca = trustme.CA()
    with ca.cert_pem.tempfile() as ca_file:
        asyncio.run(serve(ca_file, ca.issue_cert("127.0.0.1")))


if __name__ == "__main__":
    main()
