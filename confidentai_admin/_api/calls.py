"""What is asked of the API, in our own words, and the request that a version of it makes of that. No I/O."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, TypedDict, TypeVar

import attrs

from .._arguments import misfit, path_segment, plain

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class NotGiven(enum.Enum):
    """The type of ``NOT_GIVEN``."""

    NOT_GIVEN = "NOT_GIVEN"

    def __repr__(self) -> str:
        return self.name


#: An argument that was left out, where ``None`` means something else: it clears the field.
NOT_GIVEN = NotGiven.NOT_GIVEN


_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Effect(enum.Enum):
    """What an operation does to the server, and so whether it may be sent again."""

    READ = "it changes nothing"
    REPEATABLE = "doing it twice is the same as doing it once"
    ONCE = "doing it twice does it twice"


@attrs.frozen
class Scope:
    """The organization, or a project of it.

    Attributes:
        project_id: The id of the project; ``None`` for the organization.
    """

    project_id: str | None = None

    @classmethod
    def of_project(cls, project_id: str) -> Scope:
        """The scope of a project.

        Raises:
            TypeError: The id is not a string.
            ValueError: The id is empty or would name something else.
        """
        if not isinstance(project_id, str):
            raise misfit("project_id", "a string", project_id)
        path_segment("project_id", project_id)
        return cls(plain(project_id))

    @property
    def is_organization(self) -> bool:
        """Whether it is the organization."""
        return self.project_id is None

    @property
    def ids(self) -> Mapping[str, str]:
        """The ids that a path needs to lead there."""
        return _NOTHING if self.project_id is None else {"project_id": self.project_id}

    def either(self, of_organization: str, of_project: str) -> str:
        """The word for this scope, such as the name of an operation that both have."""
        return of_organization if self.project_id is None else of_project

    def __str__(self) -> str:
        return "organization" if self.project_id is None else "project"


ORGANIZATION = Scope()


@attrs.frozen
class Route:
    """How an operation is said in a version.

    Attributes:
        method: The HTTP method.
        path: The path after the base URL. Ids stand in it as ``{projectId}``.
        payload: The field of the answer's data that is the result; ``None`` if all of the data is.
        total: The field of the data that counts what a list has, of which the answer is a page.
        implied: The fields of the result that the answer leaves out, since they are true of every success.
    """

    method: str
    path: str
    payload: str | None = None
    total: str | None = attrs.field(default=None, kw_only=True)
    implied: Mapping[str, Any] = attrs.field(factory=dict, kw_only=True)


@attrs.define(eq=False)  # frozen, it would take three times as long to make
class Call(Generic[T_co]):
    """One call of an operation, in our own words.

    Attributes:
        operation: The API's name of the operation.
        effect: What the operation does to the server.
        returns: What the answer is read as. ``object`` leaves it as it is.
        scope: Where it is done.
        ids: What else the path needs, by our names.
        query: What goes into the query, by our names; what is ``None`` is left out.
        fields: What goes into the body, by our names; ``NOT_GIVEN`` for no body.
        if_gone: The result of a deletion whose answer has none: a success without data, or a 404 on a repeated one,
            since it is then its own lost attempt that succeeded.
        route: How it is said, for what no version knows.
    """

    operation: str
    effect: Effect
    returns: type[T_co]
    scope: Scope = attrs.field(default=ORGANIZATION, kw_only=True)
    ids: Mapping[str, str | int] = attrs.field(default=_NOTHING, kw_only=True)
    query: Mapping[str, Any] = attrs.field(default=_NOTHING, kw_only=True)
    fields: Any = attrs.field(default=NOT_GIVEN, kw_only=True, repr=False)
    if_gone: T_co | NotGiven = attrs.field(default=NOT_GIVEN, kw_only=True)
    route: Route | None = attrs.field(default=None, kw_only=True)


def given(**fields: Any) -> dict[str, Any]:
    """The fields of a body that were given."""
    return {name: value for name, value in fields.items() if value is not NOT_GIVEN}


def unless_none(value: T | None) -> T | NotGiven:
    """An argument whose ``None`` means that it was left out."""
    return NOT_GIVEN if value is None else value


class Place(TypedDict):
    """Where an error arose."""

    operation: str
    method: str
    path: str


@attrs.define(eq=False)
class Request:
    """A call as it goes to the wire.

    Attributes:
        operation: The API's name of the operation.
        method: The HTTP method.
        path: The path after the base URL, percent-encoded.
        effect: What the operation does to the server.
        query: The query with its question mark, percent-encoded, or nothing.
        body: The body, as it is sent; ``None`` for none.
    """

    operation: str
    method: str
    path: str
    effect: Effect
    query: str = attrs.field(default="", kw_only=True)
    body: bytes | None = attrs.field(default=None, kw_only=True, repr=False)

    @property
    def place(self) -> Place:
        """What an error says of the request that it belongs to."""
        return {"operation": self.operation, "method": self.method, "path": self.path}
