"""The organization itself."""

from typing import Any

from .clock import timestamp
from .refusal import NOTHING_TO_UPDATE, Unchanged
from .world import World


def get(world: World) -> dict[str, Any]:
    """Show the organization."""
    return {
        "organization": {
            "id": world.id,
            "name": world.name,
            "plan": world.plan,
            "created_at": timestamp(world.created_at),
        }
    }


def update(world: World, name: str) -> dict[str, Any] | Unchanged:
    """Rename the organization."""
    if name == world.name:
        return Unchanged(get(world), NOTHING_TO_UPDATE)
    world.name = name
    return get(world)
