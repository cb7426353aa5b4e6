"""API keys of both scopes, on the emulator."""

from __future__ import annotations

import datetime

import pytest

from confidentai_admin import (
    AuthenticationError,
    BadRequestError,
    ConfidentAI,
    NotFoundError,
    PermissionDeniedError,
)

from .faces import assert_same, done, opened
from .lookups import at_each_scope, new_project, place


@at_each_scope
@pytest.mark.shows("createOrganizationApiKey", "createProjectApiKey")
async def test_create_shows_the_value_once(client: ConfidentAI, scope: str) -> None:
    """A key's value is in full where the key is made and masked but for 6 characters everywhere else."""
    keys = (await place(client, scope)).api_keys
    made = await done(keys.create("CI"))
    assert (made.name, made.valid, made.last_used) == ("CI", True, None)
    assert made.created_at.utcoffset() == datetime.timedelta(0)
    assert "*" not in made.value
    masked = "*" * 15 + made.value[-6:]
    assert (await done(keys.get(made.id))).value == masked
    assert [key.value for key in await done(keys.list()) if key.id == made.id] == [masked]
    assert (await done(keys.update(made.id, valid=True))).value == masked
    assert made.value not in repr(made)


@at_each_scope
@pytest.mark.shows("listOrganizationApiKeys", "listProjectApiKeys")
async def test_list_has_the_keys_of_the_scope(client: ConfidentAI, scope: str) -> None:
    """The listing has the key that was there first, and new ones, whose names need not be unique."""
    keys = (await place(client, scope)).api_keys
    (first,) = await done(keys.list())
    twins = [await done(keys.create("Twin")) for _ in range(2)]
    listed = await done(keys.list())
    assert [key.id for key in listed] == [first.id, *(twin.id for twin in twins)]
    assert [key.name for key in listed][1:] == ["Twin", "Twin"]


async def test_the_scopes_have_keys_of_their_own(client: ConfidentAI) -> None:
    """A project's key is not among the organization's, nor is it another project's."""
    one, other = await new_project(client, "One"), await new_project(client, "Other")
    key = await done(one.api_keys.create("CI"))
    for elsewhere in (client.organization(), other):
        with pytest.raises(NotFoundError):
            await done(elsewhere.api_keys.get(key.id))


@at_each_scope
@pytest.mark.shows("getOrganizationApiKey", "getProjectApiKey")
async def test_get_gives_what_the_listing_has(client: ConfidentAI, scope: str) -> None:
    """One key by its id is the same as in the listing; an id of nothing is a NotFoundError with the operation."""
    keys = (await place(client, scope)).api_keys
    made = await done(keys.create("CI"))
    (listed,) = [key for key in await done(keys.list()) if key.id == made.id]
    assert_same(await done(keys.get(made.id)), listed)
    with pytest.raises(NotFoundError) as caught:
        await done(keys.get(made.id + 1))
    assert caught.value.operation == f"get{scope.capitalize()}ApiKey"


@pytest.mark.shows("getOrganizationApiKey")
async def test_a_key_notes_its_last_use(client: ConfidentAI, face: type[ConfidentAI]) -> None:
    """`last_used` is None until the key authenticates, and an aware time afterwards."""
    keys = client.organization().api_keys
    made = await done(keys.create("CI"))
    assert (await done(keys.get(made.id))).last_used is None
    async with opened(face(made.value, base_url=client.base_url)) as user:
        await done(user.whoami())
    last_used = (await done(keys.get(made.id))).last_used
    assert last_used is not None
    assert last_used.utcoffset() == datetime.timedelta(0)


@pytest.mark.shows("updateOrganizationApiKey")
async def test_update_switches_an_organization_key_off_and_on(client: ConfidentAI, face: type[ConfidentAI]) -> None:
    """A deactivated key is refused, and works again when it is reactivated."""
    keys = client.organization().api_keys
    made = await done(keys.create("CI"))
    async with opened(face(made.value, base_url=client.base_url)) as user:
        await done(user.whoami())

        assert (await done(keys.update(made.id, valid=False))).valid is False
        assert (await done(keys.get(made.id))).valid is False
        with pytest.raises(AuthenticationError):
            await done(user.whoami())

        assert (await done(keys.update(made.id, valid=True))).valid is True
        assert (await done(keys.get(made.id))).valid is True
        await done(user.whoami())


@pytest.mark.shows("updateProjectApiKey")
async def test_update_switches_a_project_key_off_and_on(client: ConfidentAI, face: type[ConfidentAI]) -> None:
    """A project's key is switched as well: off, it is not known (401); on, it is of the wrong kind (403)."""
    keys = (await new_project(client)).api_keys
    made = await done(keys.create("CI"))
    async with opened(face(made.value, base_url=client.base_url)) as user:
        assert (await done(keys.update(made.id, valid=False))).valid is False
        assert (await done(keys.get(made.id))).valid is False
        with pytest.raises(AuthenticationError):
            await done(user.whoami())

        assert (await done(keys.update(made.id, valid=True))).valid is True
        assert (await done(keys.get(made.id))).valid is True
        with pytest.raises(PermissionDeniedError):
            await done(user.whoami())


@at_each_scope
@pytest.mark.shows("deleteOrganizationApiKey", "deleteProjectApiKey")
async def test_delete_revokes_for_good(client: ConfidentAI, face: type[ConfidentAI], scope: str) -> None:
    """A deleted key is gone, refused, and cannot be switched on again."""
    keys = (await place(client, scope)).api_keys
    before = [key.id for key in await done(keys.list())]
    made = await done(keys.create("CI"))

    deleted = await done(keys.delete(made.id))

    assert_same(deleted.id, made.id)
    assert deleted.deleted is True
    assert [key.id for key in await done(keys.list())] == before
    with pytest.raises(NotFoundError):
        await done(keys.update(made.id, valid=True))
    with pytest.raises(NotFoundError):
        await done(keys.delete(made.id))
    async with opened(face(made.value, base_url=client.base_url)) as user:
        with pytest.raises(AuthenticationError):
            await done(user.whoami())


async def test_a_client_can_lock_itself_out(client: ConfidentAI, face: type[ConfidentAI]) -> None:
    """A client may delete the very key that it uses: that call succeeds, and the next one is refused."""
    made = await done(client.organization().api_keys.create("CI"))
    async with opened(face(made.value, base_url=client.base_url)) as user:
        assert (await done(user.organization().api_keys.delete(made.id))).deleted is True
        with pytest.raises(AuthenticationError):
            await done(user.whoami())


@at_each_scope
async def test_an_empty_name_is_refused(client: ConfidentAI, scope: str) -> None:
    """A key must have a name; without one, none is made."""
    keys = (await place(client, scope)).api_keys
    with pytest.raises(BadRequestError) as caught:
        await done(keys.create(""))
    assert caught.value.operation == f"create{scope.capitalize()}ApiKey"
    assert len(await done(keys.list())) == 1
