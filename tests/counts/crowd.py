"""A server of a long list of members, which knows the pages that were asked for."""

from __future__ import annotations

from aiohttp import web


class Crowd:
    """A handler that answers with pages of so many members.

    Attributes:
        asked: The numbers of the pages that were asked for, in the order in which they came.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self.asked: list[int] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with one page."""
        page, size = int(request.query["page"]), int(request.query["pageSize"])
        self.asked.append(page)
        numbers = range((page - 1) * size, min(page * size, self._count))
        members = [{"id": f"usr-{number}", "email": f"member{number}@acme.example"} for number in numbers]
        return web.json_response({"success": True, "data": {"members": members, "total": self._count}})
