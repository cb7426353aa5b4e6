"""What competitors connect to, and what they send with each request."""

from __future__ import annotations

import ssl

import attrs

API_KEY = "confident_us_org_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"

#: How many connections this client has by default. The others get as many.
DEFAULT_CONNECTIONS = 20

#: As this client's. It is not asked for them, so that who measures another one does not load it.
HEADERS = {
    "CONFIDENT_API_KEY": API_KEY,
    "X-Confident-SDK-Version": "confidentai-admin-python/0.1.0",
    "User-Agent": "confidentai-admin-python/0.1.0 aiohttp/3.14.0",
    "Accept": "application/json",
}


@attrs.frozen
class Target:
    """Where to connect, and how often at the same time.

    Attributes:
        url: The base URL.
        ca_file: The file of the CA to trust, for TLS.
        connections: How many connections a client may have. The ``confidentai`` client has no such limit.
    """

    url: str
    ca_file: str | None
    connections: int

    def ssl_context(self) -> ssl.SSLContext | None:
        """Whom to trust, if it is TLS."""
        return None if self.ca_file is None else ssl.create_default_context(cafile=self.ca_file)
