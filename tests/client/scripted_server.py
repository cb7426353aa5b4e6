"""A server that does what a test tells it, down to the socket. It is not HTTP's friend, as the emulator is."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    """What arrived: on which connection, as its how-manieth request, and what it said."""

    connection: int
    number: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


#: What to do with a request: send bytes or not, and return ``False`` to close the connection.
Action = Callable[[socket.socket], bool]


def answer(
    data: Any = None,
    *,
    status: int = 200,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    close: bool = False,
) -> Action:
    """Answer, with ``data`` in the envelope or with any ``body``."""
    if body is None:
        body = json.dumps({"success": True, "data": data}).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"

    def act(connection: socket.socket) -> bool:
        connection.sendall(head.encode() + body)
        return not close

    return act


def refuse(status: int, message: str = "no", **headers: str) -> Action:
    """Refuse as the API does."""
    body = json.dumps({"success": False, "error": message}).encode()
    return answer(status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def close(connection: socket.socket) -> bool:
    """Do the work, and close without an answer."""
    return False


def reset(connection: socket.socket) -> bool:
    """Do the work, and reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def close_on(event: threading.Event, action: Action) -> Action:
    """Do this, and close when the test says so."""

    def act(connection: socket.socket) -> bool:
        action(connection)
        event.wait(10)
        return False

    return act


def together(action: Action) -> tuple[Action, Action]:
    """Do this for two requests, and for the first one only once the second one is here."""
    both_came = threading.Event()

    def act_later(connection: socket.socket) -> bool:
        assert both_came.wait(10)
        return action(connection)

    def act(connection: socket.socket) -> bool:
        both_came.set()
        return action(connection)

    return act_later, act


def send_and_close(raw: bytes) -> Action:
    """Send these bytes and close."""

    def act(connection: socket.socket) -> bool:
        connection.sendall(raw)
        return False

    return act


@dataclass
class ScriptedServer:
    """Follows a script: an action for each request, in order of arrival; then ``otherwise``."""

    script: list[Action] = field(default_factory=list)
    otherwise: Action = field(default_factory=lambda: refuse(404, "not in the script"))
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    closed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The port."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def methods(self) -> list[str]:
        """The methods of what arrived."""
        return [request.method for request in self.requests]

    def hang(self, connection: socket.socket) -> bool:
        """Say nothing until the client goes away or the test is over."""
        connection.recv(1)
        return False

    def stop(self) -> None:
        """Close everything."""
        # Closing alone leaves the thread in its accept, on a number that the next socket may get.
        _shut(self._listener)
        self._listener.close()
        with self._lock:
            for connection in list(self._open):
                _shut(connection)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                number = self.connections
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, plain: socket.socket, number: int) -> None:
        connection = plain
        with plain, suppress(OSError):
            if self.tls is not None:
                connection = self.tls.wrap_socket(plain, server_side=True)
                with self._lock:
                    self._open.add(connection)
            with connection:
                for count, (method, target, headers, body) in enumerate(_read_requests(connection), start=1):
                    with self._lock:
                        self.requests.append(Request(number, count, method, target, headers, body))
                        action = self.script.pop(0) if self.script else self.otherwise
                    self.arrived.release()
                    if not action(connection):
                        break
        with self._lock:
            self._open -= {plain, connection}
        self.closed.release()


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _read_requests(connection: socket.socket) -> Iterator[tuple[str, str, dict[str, str], bytes]]:
    with connection.makefile("rb") as stream:
        while line := stream.readline():
            method, target, _ = line.decode("latin-1").split(" ", 2)
            headers = {}
            while (line := stream.readline().rstrip(b"\r\n")) != b"":
                name, _, value = line.decode("latin-1").partition(":")
                headers[name.strip().lower()] = value.strip()
            yield method, target, headers, stream.read(int(headers.get("content-length", "0")))


@contextmanager
def scripted_server(*script: Action, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """A server for the time of a ``with`` block."""
    server = ScriptedServer(list(script), tls=tls)
    try:
        yield server
    finally:
        server.stop()
