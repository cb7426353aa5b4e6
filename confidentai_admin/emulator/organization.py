"""The organization itself."""

from typing import Any

from .clock import timestamp
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


def update(world: World, name: str) -> dict[str, Any]:
    """Rename the organization."""
    world.name = name
    return get(world)
