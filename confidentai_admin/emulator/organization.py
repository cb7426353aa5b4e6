"""The organization itself."""

from typing import Any

from confidentai_admin.emulator.clock import timestamp
from confidentai_admin.emulator.world import World


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
