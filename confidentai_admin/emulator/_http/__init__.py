"""The server: requests, envelopes, and the gateway in front, by which faults come."""
