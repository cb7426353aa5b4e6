"""What a case on the wire is: a call, the request it must send, an answer, and what must become of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from confidentai_admin import ConfidentAI


class _Nothing:
    def __repr__(self) -> str:
        return "NO_BODY"


#: The request has no body, which is not the same as a body of `null`.
NO_BODY = _Nothing()


@attrs.frozen(kw_only=True)
class Case:
    """One call of one operation.

    Attributes:
        operation: The contract's name of the operation.
        call: Makes the call.
        method: The HTTP method that must be sent.
        target: What must follow the base URL: the path, percent-encoded, and the query.
        body: The body that must be sent, as JSON.
        data: The `data` of the answer.
        result: What the call must give.
        variant: Nothing if the call is made with all arguments that there are, else what is different.
    """

    operation: str
    call: Callable[[ConfidentAI], object]
    method: str
    target: str
    body: object = NO_BODY
    data: object
    result: object
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.operation} {self.variant}".rstrip()

    @property
    def path(self) -> str:
        """The target without the query."""
        return self.target.partition("?")[0]


@attrs.frozen
class MadeCall:
    """A public method that a case calls, by its place in the tree, and the arguments."""

    name: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


class _Tree:
    """Stands in for a client and tells which method is called, with what."""

    def __init__(self, name: str = "") -> None:
        self._name = name

    def __getattr__(self, name: str) -> _Tree:
        return _Tree(f"{self._name}.{name}" if self._name else name)

    def __call__(self, *arguments: Any, **keywords: Any) -> _Tree | MadeCall:
        if self._name in ("organization", "project"):
            return self
        return MadeCall(self._name, arguments, keywords)


def made_call(case: Case) -> MadeCall:
    """The method that a case calls, such as `project.api_keys.create`."""
    made = case.call(_Tree())  # type: ignore[arg-type]
    assert isinstance(made, MadeCall)
    return made
