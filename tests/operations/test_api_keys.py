"""API keys of both scopes, on the emulator."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest
from aiohttp import web

from confidentai_admin import (
    AuthenticationError,
    BadRequestError,
    ConfidentAI,
    ConfigurationError,
    NotFoundError,
    PermissionDeniedError,
    UnexpectedStateError,
)
from confidentai_admin.emulator import Emulator, faults

from .faces import assert_same, done, opened
from .lookups import at_each_scope, new_project, place
from .serving import serving


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


#: What takes a key away.
AWAY: dict[str, Callable[..., object]] = {
    "deactivate": lambda keys, key_id, **options: keys.update(key_id, valid=False, **options),
    "delete": lambda keys, key_id, **options: keys.delete(key_id, **options),
}

each_way = pytest.mark.parametrize("take_away", AWAY.values(), ids=AWAY.keys())


@each_way
async def test_a_client_does_not_lock_itself_out(
    client: ConfidentAI, face: type[ConfidentAI], take_away: Callable[..., object]
) -> None:
    """Deactivating or deleting the very key that the client uses is refused before anything is written."""
    made = await done(client.organization().api_keys.create("CI"))
    async with opened(face(made.value, base_url=client.base_url)) as user:
        with pytest.raises(ConfigurationError, match="allow_self=True") as caught:
            await done(take_away(user.organization().api_keys, made.id))
        assert f"rotate({made.id})" in caught.value.message
        await done(user.whoami())


@each_way
async def test_a_client_can_lock_itself_out_if_it_must(
    client: ConfidentAI, face: type[ConfidentAI], take_away: Callable[..., object]
) -> None:
    """With allow_self=True a client takes away its own key: that call succeeds, and the next one is refused."""
    made = await done(client.organization().api_keys.create("CI"))
    async with opened(face(made.value, base_url=client.base_url)) as user:
        await done(take_away(user.organization().api_keys, made.id, allow_self=True))
        with pytest.raises(AuthenticationError):
            await done(user.whoami())


@at_each_scope
@each_way
async def test_only_what_could_be_ones_own_key_is_read_first(
    client: ConfidentAI, emulator: Emulator, scope: str, take_away: Callable[..., object]
) -> None:
    """An organization's key is read before it is taken away, a project's is not, and no key before it is activated."""
    keys = (await place(client, scope)).api_keys
    made = await done(keys.create("CI"))
    before = len(emulator.calls)
    await done(keys.update(made.id, valid=True))
    await done(take_away(keys, made.id))
    methods = [call.method for call in emulator.calls[before:]]
    assert methods[0] == "PUT"
    assert methods[1:-1] == (["GET"] if scope == "organization" else [])


@each_way
async def test_a_gateway_that_does_not_find_the_own_key_does_not_open_the_guard(
    client: ConfidentAI, emulator: Emulator, take_away: Callable[..., object]
) -> None:
    """A 404 that is not the API's own tells nothing of a key: it is the error, and the key stays as it is."""
    own = (await done(client.organization().api_keys.list()))[0].id
    emulator.faults.add("getOrganizationApiKey", faults.Answer(404, body="<h1>Not Found</h1>"))
    with pytest.raises(NotFoundError) as caught:
        await done(take_away(client.organization().api_keys, own))
    assert caught.value.method == "GET"
    assert emulator.writes == []


@at_each_scope
@each_way
async def test_an_unknown_key_is_the_errors_own(
    client: ConfidentAI, scope: str, take_away: Callable[..., object]
) -> None:
    """Taking away what is not there is the error of that operation, also where it would be read first."""
    keys = (await place(client, scope)).api_keys
    with pytest.raises(NotFoundError) as caught:
        await done(take_away(keys, 1))
    assert caught.value.method in ("PUT", "DELETE")


@pytest.mark.parametrize(
    ("shown", "is_own"),
    [
        ("*" * 15 + "abc123", True),
        ("*" * 15 + "abc124", False),
        ("abc123", True),
        ("***bc123", True),  # too little to tell
        ("*****", True),
        ("", True),
        ("conf" + "*" * 15, True),  # the other end
        ("\u2022" * 15, True),
        ("confident_us_org_abc124", False),
    ],
)
@each_way
async def test_in_doubt_a_key_is_ones_own(
    face: type[ConfidentAI], shown: str, is_own: bool, take_away: Callable[..., object]
) -> None:
    """Which key is one's own is told by its last six characters; where they are not all shown, it counts as such."""
    methods = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        methods.append(request.method)
        key = {"id": 7, "name": "CI", "valid": True, "value": shown, "created_at": "2026-01-01T00:00:00.000Z"}
        data: dict[str, object] = {"id": 7, "deleted": True} if request.method == "DELETE" else {"apiKey": key}
        return web.json_response({"success": True, "data": data})

    with serving(handle) as url:
        async with opened(face("confident_us_org_abc123", base_url=url)) as client:
            keys = client.organization().api_keys
            if is_own:
                with pytest.raises(ConfigurationError, match="allow_self"):
                    await done(take_away(keys, 7))
                assert methods == ["GET"]
            else:
                await done(take_away(keys, 7))
                assert len(methods) == 2


@pytest.mark.parametrize("is_shadow", [True, False])
@pytest.mark.parametrize(
    ("end", "is_own"), [("abc123", True), ("abc124", False), (None, False), ("*****", True)], ids=str
)
async def test_ones_own_key_may_be_either_of_two_values(
    face: type[ConfidentAI], is_shadow: bool, end: str | None, is_own: bool
) -> None:
    """While a key is being replaced in place, it is one's own by the value that goes and by the one that comes."""
    methods = []
    other = "*" * 15 + "xyz789"
    shown = None if end is None else "*" * 15 + end
    old, new = (other, shown) if is_shadow or shown is None else (shown, other)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        methods.append(request.method)
        key = {"id": 7, "valid": True, "value": old, "shadowValue": new, "created_at": "2026-01-01T00:00:00.000Z"}
        data = {"id": 7} if request.method == "DELETE" else key
        return web.json_response(
            {"success": True, "data": {"apiKeys": [key]} if request.path.endswith("api-keys") else data}
        )

    with serving(handle) as url:
        async with opened(face("confident_us_org_abc123", base_url=url, api_version="v2")) as client:
            keys = client.organization().api_keys
            calls: list[Callable[[], object]] = [
                lambda: keys.delete(7),
                lambda: keys.update(7, valid=False),
                lambda: keys.retire(7, unused_for=datetime.timedelta(0)),
            ]
            for call in calls:
                if is_own:
                    with pytest.raises(ConfigurationError, match="allow_self"):
                        await done(call())
                elif call is calls[-1]:
                    with pytest.raises(UnexpectedStateError, match="younger"):
                        await done(call())
                else:
                    await done(call())
    assert methods == (["GET", "GET", "GET"] if is_own else ["GET", "DELETE", "GET", "PUT", "GET"])


@pytest.mark.parametrize("option", [1, "yes", None])
@each_way
async def test_allow_self_is_a_truth_value(
    client: ConfidentAI, emulator: Emulator, take_away: Callable[..., object], option: object
) -> None:
    """Anything but True and False is refused before any request."""
    with pytest.raises(TypeError, match="allow_self must be True or False"):
        await done(take_away(client.organization().api_keys, 7, allow_self=option))
    assert emulator.calls == []


@pytest.mark.parametrize("is_view", [False, True])
@each_way
async def test_a_reader_does_not_even_look(
    emulator: Emulator, face: type[ConfidentAI], is_view: bool, take_away: Callable[..., object]
) -> None:
    """A read-only client refuses to take a key away before it reads which one it is."""
    async with opened(face(emulator.api_key, base_url=emulator.url, read_only=not is_view)) as client:
        reader = client.with_options(read_only=True) if is_view else client
        with pytest.raises(ConfigurationError, match="read-only") as caught:
            await done(take_away(reader.organization().api_keys, 7))
    assert caught.value.operation in ("updateOrganizationApiKey", "deleteOrganizationApiKey")
    assert emulator.calls == []


@at_each_scope
async def test_an_empty_name_is_refused(client: ConfidentAI, scope: str) -> None:
    """A key must have a name; without one, none is made."""
    keys = (await place(client, scope)).api_keys
    with pytest.raises(BadRequestError) as caught:
        await done(keys.create(""))
    assert caught.value.operation == f"create{scope.capitalize()}ApiKey"
    assert len(await done(keys.list())) == 1
