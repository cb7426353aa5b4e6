"""A version of the API: how it says a call, and how it answers. No I/O.

Versions differ in what their tables say. Nothing above this package knows which one is spoken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar, cast, get_args

import attrs

from .._arguments import path_segment, plain, query
from ..errors import APIResponseValidationError, ConfigurationError
from ..models import DeletionResult, Page
from .answers import Answer, Unreadable, read_count, read_data
from .calls import NOT_GIVEN, Call, Request, Route
from .names import camel_case

T = TypeVar("T")

#: How many items a page has if nobody says, by the API's own default.
_DEFAULT_PAGE_SIZE = 25


@attrs.frozen
class Version:
    """A version of the API.

    Attributes:
        name: Its name, as it stands in the paths.
        routes: How each operation is said that it has, by the operation's name.
    """

    name: str
    routes: Mapping[str, Route]

    def request(self, call: Call[Any]) -> Request:
        """How a call goes to the wire.

        Raises:
            ConfigurationError: This version has no such operation.
            TypeError: An id is no string or integer, or the body holds something that JSON has no form for.
            ValueError: An id is empty or would name something else, or the body has no form in JSON.
        """
        route = self._route(call)
        path, params, fields = route.path, call.query, call.fields
        for ids in (call.scope.ids, call.ids):
            for name, value in ids.items():
                path = path.replace(f"{{{camel_case(name)}}}", path_segment(name, value))
        if call.route is None:  # else they are what a caller wrote, who knows the API's names
            params = {camel_case(name): value for name, value in params.items()} if params else params
            fields = fields if fields is NOT_GIVEN else {camel_case(name): value for name, value in fields.items()}
        return Request(
            call.operation,
            route.method,
            path,
            call.effect,
            query=query(params) if params else "",
            body=None if fields is NOT_GIVEN else encode(fields),
        )

    def read(self, call: Call[T], answer: Answer) -> T | APIResponseValidationError:
        """What a successful answer gives, or the error to raise: no frame of a traceback may hold the answer."""
        if call.if_gone is not NOT_GIVEN and answer.is_success_without_data:
            return call.if_gone
        route = self._route(call)
        result: T | Unreadable
        if route.total is None:
            result = read_data(answer, call.returns, route.payload, route.implied)
        else:
            result = self._page(call, route, route.total, answer)
        if isinstance(result, Unreadable):
            return result.error(answer, self.request(call))
        return _as_asked(result, call) if isinstance(result, DeletionResult) else result

    @staticmethod
    def _page(call: Call[T], route: Route, total_field: str, answer: Answer) -> T | Unreadable:
        (kind,) = get_args(call.returns)
        items = read_data(answer, list[kind], route.payload)  # type: ignore[valid-type]
        if isinstance(items, Unreadable):
            return items
        total = read_count(answer, total_field)
        if isinstance(total, Unreadable):
            return total
        number, size = plain(call.query["page"]) or 1, plain(call.query["page_size"]) or _DEFAULT_PAGE_SIZE
        return cast(T, Page(items, total, number, size))

    def _route(self, call: Call[Any]) -> Route:
        if call.route is not None:
            return call.route
        if call.operation not in self.routes:
            raise ConfigurationError(
                f"the API's version {self.name} has no operation {call.operation}", operation=call.operation
            )
        return self.routes[call.operation]


def _as_asked(result: DeletionResult, call: Call[Any]) -> Any:
    """What was deleted, by the id that it was asked for: a server may write a number as text."""
    asked = call.if_gone
    if not isinstance(asked, DeletionResult) or str(asked.id) != str(result.id):
        return result
    return attrs.evolve(result, id=asked.id)


def encode(body: Any) -> bytes:
    """``body`` as JSON.

    Raises:
        TypeError: It holds something that JSON has no form for.
        ValueError: It holds a number that is not finite, refers to itself, is too deep, or is no valid Unicode.
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except RecursionError:
        raise ValueError("the body is too deep for JSON") from None
