"""Projects."""

from __future__ import annotations

import datetime

import attrs

from .._arguments import plain
from .api_key import ApiKey
from .elsewhere import Elsewhere
from .named_ref import NamedRef


@attrs.frozen
class Project:
    """A project, as the API described it. Its members, keys and the rest are at ``client.project(project.id)``.

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

    get = Elsewhere("client.project(project.id)")
    update = Elsewhere("client.project(project.id)")
    delete = Elsewhere("client.project(project.id)")
    api_keys = Elsewhere("client.project(project.id)")
    members = Elsewhere("client.project(project.id)")
    invitations = Elsewhere("client.project(project.id)")
    iam = Elsewhere("client.project(project.id)")


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


@attrs.frozen
class DesiredProject:
    """A project as it is to be, for ``projects.ensure_many``; the fields are arguments of ``projects.ensure``.

    Attributes:
        name: The name, not empty.
        description: The description; ``None`` leaves it as it is.
        owner: The address of the project's Owner; ``None`` leaves that as it is.
        governance_policy: The name or id of the governance policy it is on; ``None`` leaves that as it is.
        key: The name of an API key that is to exist; ``None`` asks for none.
    """

    name: str
    description: str | None = attrs.field(default=None, kw_only=True)
    owner: str | None = attrs.field(default=None, kw_only=True)
    governance_policy: str | None = attrs.field(default=None, kw_only=True)
    key: str | None = attrs.field(default=None, kw_only=True)

    def __str__(self) -> str:
        return plain(self.name)


@attrs.frozen
class EnsuredProject:
    """What ``projects.ensure`` found or made.

    Attributes:
        project: The project as it is now.
        created: Whether this call made it, for all that is known.
        api_key: The key that was asked for, or else the project's first one, if this call made it: its value is in full
            here and never again. ``None`` if this call made none: whoever made it has its secret.
        new_keys: All keys that this call made, ``api_key`` among them, their values in full: store or delete them.
            ``store`` is given those that it was not given yet.
        recovered: Whether the project was made by a request whose answer was lost. Another process may have made it at
            the same moment.
        orphaned_key_ids: The ids of keys whose secrets were in answers that were lost. They are valid, and nobody has
            them, unless another process made them at the same moment: delete them when you know that nobody does.
        may_have_orphaned_key: Whether there may be one more such key, whose id is not known: an answer was lost, and
            nothing was seen of what was asked for, up to the call's last look. The server may still make it.
        duplicate_key_ids: The ids of other valid keys of the same name, which another program made while this call made
            its own. That program has them: agree on one before you retire the other.
        retired_key_ids: The ids of the keys that were deactivated since a new one took their place.
        is_finished: Whether all was done. ``False`` in what ``store`` is given, and in the ``partial`` of an error.
    """

    project: Project
    created: bool
    api_key: ApiKey | None = None
    new_keys: list[ApiKey] = attrs.field(factory=list)
    recovered: bool = attrs.field(default=False, kw_only=True)
    orphaned_key_ids: list[int] = attrs.field(factory=list, kw_only=True)
    may_have_orphaned_key: bool = attrs.field(default=False, kw_only=True)
    duplicate_key_ids: list[int] = attrs.field(factory=list, kw_only=True)
    retired_key_ids: list[int] = attrs.field(factory=list, kw_only=True)
    is_finished: bool = attrs.field(default=True, kw_only=True)
