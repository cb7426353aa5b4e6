"""What the world was like a moment ago, for reads that lag behind the writes."""

import copy
from collections import deque
from collections.abc import Iterable, Mapping

import attrs

from .world import GovernancePolicy, Project, Scope, World


@attrs.frozen
class _Records:
    """What a write outside all scopes can change: the organization's own fields, and its projects and policies."""

    name: str
    plan: str
    projects: tuple[Project, ...]
    governance_policies: tuple[GovernancePolicy, ...]


@attrs.frozen
class _Before:
    """What a write was about to change: copies of scopes, by their ids, or of the organization's records."""

    moment: float
    scopes: Mapping[str, Scope]
    records: _Records | None


class History:
    """Copies of what was changed of late.

    Every write copies what it may change, and a look at the past takes of each part the first copy that was made since.
    What has no copy since then is as it is now.
    """

    def __init__(self) -> None:
        self._copies: deque[_Before] = deque()

    def clear(self) -> None:
        """Forget the past."""
        self._copies.clear()

    def keep(self, world: World, scopes: Iterable[Scope], *, records: bool, moment: float, since: float) -> None:
        """Copy what is about to be changed, and forget what nobody will look at.

        Args:
            world: The world that is about to be changed.
            scopes: The scopes in which something is about to be.
            records: Whether the organization's records are about to be.
            moment: When; not before the last one.
            since: The earliest moment that can be asked for from now on.
        """
        while self._copies and self._copies[0].moment <= since:
            self._copies.popleft()
        copied = _copied(world) if records else None
        self._copies.append(_Before(moment, {scope.id: scope.copied() for scope in scopes}, copied))

    def past(self, world: World, moment: float) -> World:
        """Give the world as it was at a moment, after what was done just then; it is to be read, and not changed."""
        since = [each for each in self._copies if each.moment > moment]
        if not since:
            return world
        scopes: dict[str, Scope] = {}
        for each in reversed(since):
            scopes.update(each.scopes)
        records = next((each.records for each in since if each.records is not None), None) or _copied(world)
        return attrs.evolve(
            world,
            name=records.name,
            plan=records.plan,
            scope=scopes.get(world.scope.id, world.scope),
            projects=world.projects.of(
                (each.id, attrs.evolve(each, scope=scopes.get(each.id, each.scope))) for each in records.projects
            ),
            governance_policies=world.governance_policies.of((each.id, each) for each in records.governance_policies),
        )


def _copied(world: World) -> _Records:
    return _Records(
        world.name,
        world.plan,
        tuple(copy.copy(project) for project in world.projects.values()),
        tuple(world.governance_policies.values()),
    )
