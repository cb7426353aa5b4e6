"""The organization itself."""

from ..refusal import NOTHING_TO_UPDATE, Unchanged
from .world import World


def update(world: World, name: str) -> World | Unchanged[World]:
    """Rename the organization, which is the world."""
    if name == world.name:
        return Unchanged(world, NOTHING_TO_UPDATE)
    world.name = name
    return world
