"""What a version's table says of each operation."""

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import attrs

from .shapes import Field, ListOf, Record

Method: TypeAlias = Literal["GET", "POST", "PUT", "DELETE"]


@attrs.frozen
class Operation:
    """One operation of the API.

    `body` is None where no request body is read. `data` is the shape of the `data` in a successful answer's
    envelope; the answer's status is always 200. `changes_state` tells the writes from the reads. `settled` is what the
    version has settled where the rules can do one thing or another: arguments for them that no request can name.
    """

    name: str
    method: Method
    path: str
    data: Record
    body: Record | None = None
    query: tuple[Field, ...] = ()
    settled: Mapping[str, Any] = attrs.field(factory=dict, eq=False)
    key: Literal["organization", "project"] = "organization"
    """Whose key it takes."""
    needs_body: bool = True
    """Whether a request without a body is refused, and not taken for one with an empty object."""

    @property
    def version(self) -> str:
        """The version whose operation this is: how its path begins."""
        return self.path.split("/", 2)[1]

    @property
    def bare_path(self) -> str:
        """The path without the version."""
        return f"/{self.path.split('/', 2)[2]}"

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """The names between braces in the path, in order."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def changes_state(self) -> bool:
        """Whether this operation is a write."""
        return self.method != "GET"

    @property
    def is_listing(self) -> bool:
        """Whether this is a read of many, and not of one by its id."""
        return not self.changes_state and any(isinstance(field.shape, ListOf) for field in self.data.fields)
