"""The organization itself, on the emulator."""

from __future__ import annotations

import datetime

import pytest

from confidentai_admin import BadRequestError, ConfidentAI, Plan
from confidentai_admin.emulator import Emulator

from .faces import assert_same, done


@pytest.mark.shows("getOrganization")
async def test_get_gives_the_organization_of_the_key(client: ConfidentAI, emulator: Emulator) -> None:
    """The organization is that of the key, with its plan as it is now, and `whoami` says the same."""
    organization = await done(client.organization().get())
    assert organization.name == "Acme Inc."
    assert organization.plan is Plan.TEAM
    assert organization.created_at.utcoffset() == datetime.timedelta(0)
    assert_same(await done(client.whoami()), organization)
    emulator.change_plan("ENTERPRISE")
    assert (await done(client.organization().get())).plan is Plan.ENTERPRISE


@pytest.mark.shows("updateOrganization")
async def test_update_renames_it(client: ConfidentAI) -> None:
    """A rename changes the name and nothing else."""
    before = await done(client.organization().get())
    renamed = await done(client.organization().update(name="Acme Ltd."))
    assert renamed.name == "Acme Ltd."
    after = await done(client.organization().get())
    assert_same(after, renamed)
    assert (after.id, after.plan, after.created_at) == (before.id, before.plan, before.created_at)


async def test_an_empty_name_is_refused(client: ConfidentAI) -> None:
    """An empty name is refused with the operation's name on the error, and the old one stays."""
    with pytest.raises(BadRequestError) as caught:
        await done(client.organization().update(name=""))
    assert caught.value.operation == "updateOrganization"
    assert (await done(client.organization().get())).name == "Acme Inc."
