"""Sending a call: its attempts, each request, and the connections. Alone here, aiohttp is spoken to."""
