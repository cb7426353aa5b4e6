"""Looking up the names of machines, in threads that nobody waits for."""

from __future__ import annotations

import asyncio
import concurrent.futures
import errno
import os
import socket
import threading

from aiohttp.abc import AbstractResolver, ResolveResult

# Only addresses of a kind that this machine has itself.
_OF_OUR_KIND = socket.AI_ADDRCONFIG & getattr(socket, "AI_MASK", socket.AI_ADDRCONFIG)
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    """What the system says of a name, in aiohttp's form. It takes as long as it likes."""
    try:
        infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=_OF_OUR_KIND)
    except socket.gaierror:
        if os.name != "nt" or host.rstrip(".").lower() != "localhost":
            raise
        # Windows without a network knows itself by no other way.
        infos = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)  # pragma: no cover
    found = []
    for kind, _, protocol, _, address in infos:
        if kind == socket.AF_INET6 and len(address) < 4:
            continue  # this Python has no IPv6
        name = str(address[0])
        if len(address) == 4 and address[3]:  # it belongs to one network, which the name of the address has to say
            name, _ = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        found.append(ResolveResult(hostname=host, host=name, port=port, family=kind, proto=protocol, flags=_NUMERIC))
    return found


class Resolver(AbstractResolver):
    """Looks names up in daemon threads: asyncio's own are waited for when a program ends, however long they take."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        lookup: concurrent.futures.Future[list[ResolveResult]] = concurrent.futures.Future()
        lookup.set_running_or_notify_cancel()  # who no longer waits for it does not end it

        def run() -> None:
            try:
                lookup.set_result(_look_up(host, port, family))
            except BaseException as error:  # noqa: BLE001  (it is for who waits)
                lookup.set_exception(error)

        try:
            threading.Thread(target=run, name="confidentai-admin lookup", daemon=True).start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, str(error)) from None
        return await asyncio.wrap_future(lookup)

    async def close(self) -> None:
        """Nothing to close."""
