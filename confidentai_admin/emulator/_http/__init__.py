"""The server: requests, routes, envelopes, and the gateway in front, by which faults come."""
