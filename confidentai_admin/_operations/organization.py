"""What the organization can be asked for."""

from __future__ import annotations

from .._api.calls import Call, Effect
from ..models import Organization


def get_organization() -> Call[Organization]:
    """Read the organization."""
    return Call("getOrganization", Effect.READ, Organization)


def update_organization(*, name: str) -> Call[Organization]:
    """Rename the organization."""
    return Call("updateOrganization", Effect.REPEATABLE, Organization, fields={"name": name})
