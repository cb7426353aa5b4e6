"""What a person has in the organization and its projects."""

from __future__ import annotations

import enum

import attrs

from .named_ref import NamedRef


class HoldingKind(enum.StrEnum):
    """What somebody has. Equal to its text: ``holding.kind == "ownership"``."""

    OWNERSHIP = "ownership"
    MEMBERSHIP = "membership"
    INVITATION = "invitation"


@attrs.frozen
class Holding:
    """One thing that a person has: an ownership, a membership or an invitation.

    Attributes:
        kind: What it is.
        project: The project it is in, or ``None`` for the organization.
        id: The id of the user, or of the invitation.
    """

    kind: HoldingKind
    project: NamedRef | None
    id: str | int

    def __str__(self) -> str:
        where = "the organization" if self.project is None else f"the project {self.project.name!r}"
        return f"{self.kind} in {where}"
