"""Projects."""

from __future__ import annotations

import datetime

import attrs

from .api_key import ApiKey
from .named_ref import NamedRef


@attrs.frozen
class Project:
    """A project.

    Attributes:
        id: Its id.
        name: Its name, unique in the organization.
        description: Its description, or ``None``.
        organization_id: The organization it belongs to; ``None`` if the answer does not say.
        created_at: When it was made, an aware time; ``None`` if the answer does not say.
        governance_policy: The governance policy it is on, or ``None``. The answers to ``create`` and ``update`` may
            leave it out: ask ``get`` to be sure that there is none.
    """

    id: str
    name: str
    description: str | None = None
    organization_id: str | None = None
    created_at: datetime.datetime | None = None
    governance_policy: NamedRef | None = None


@attrs.frozen
class CreatedProject:
    """What making a project gives.

    Attributes:
        project: The project.
        api_key: Its first API key. ``api_key.value`` is in full here and never again: store it now. ``None`` if the
            server made none.
    """

    project: Project
    api_key: ApiKey | None = None
