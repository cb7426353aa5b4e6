"""The organization."""

from __future__ import annotations

import datetime
import enum

import attrs

from .elsewhere import Elsewhere


class Plan(enum.StrEnum):
    """The plan of an organization. Equal to its text: ``organization.plan == "TEAM"``."""

    TRIAL = "TRIAL"
    FREE = "FREE"
    STARTER = "STARTER"
    TEAM = "TEAM"
    PREMIUM = "PREMIUM"
    ENTERPRISE = "ENTERPRISE"


@attrs.frozen
class Organization:
    """The organization that the API key belongs to. Its members, keys and the rest are at ``client.organization()``.

    Attributes:
        id: Its id.
        name: Its name.
        plan: A ``Plan``, or the plain text of a plan that this version does not know.
        created_at: When it was made, an aware time.
    """

    id: str
    name: str
    plan: Plan | str
    created_at: datetime.datetime

    get = Elsewhere("client.organization()")
    update = Elsewhere("client.organization()")
    api_keys = Elsewhere("client.organization()")
    members = Elsewhere("client.organization()")
    invitations = Elsewhere("client.organization()")
    iam = Elsewhere("client.organization()")
    governance = Elsewhere("client.organization()")
