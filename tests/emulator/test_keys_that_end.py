"""Keys that expire and values that are rotated out, as the second version has them, by the emulator's clock."""

from __future__ import annotations

from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator.clock import moment
from confidentai_admin.emulator.faults import Stale

from .conftest import V2, Api

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def at(text: Any) -> datetime:
    """Read a time of an answer."""
    read = moment(text)
    assert read is not None
    return read


def mask(value: str) -> str:
    """Give what is shown of a value."""
    return "*" * 15 + value[-6:]


async def status(api: Api, value: str) -> int:
    """Give the status of a call with a key."""
    return (await api.call("getOrganization", key=value)).status


async def made(api: Api, **more: object) -> Any:
    """Make a key of the organization."""
    return await api.raw("createOrganizationApiKey", body={"name": "k", **more})


async def rotated(api: Api, key: Any, **body: object) -> Any:
    """Rotate one."""
    return await api.raw("rotateOrganizationApiKey", key["id"], body=body)


@V2
async def test_a_key_expires_by_the_clock_and_stays_listed_as_valid(api: Api) -> None:
    """From its end on it is refused by both versions with 401, and `valid` is what it was."""
    key = await made(api, expiresInDays=2)
    assert at(key["expiresAt"]) - at(key["created_at"]) == 2 * DAY
    api.emu.clock.advance(2 * DAY - HOUR)
    assert await status(api, key["value"]) == 200
    api.emu.clock.advance(HOUR)
    assert [await status(each, key["value"]) for each in (api, api.through("v1"))] == [401, 401]
    [shown, _] = (await api.raw("listOrganizationApiKeys"))["apiKeys"]
    assert (shown["id"], shown["valid"], shown["expiresAt"]) == (key["id"], True, key["expiresAt"])


@V2
async def test_a_key_without_an_expiry_never_ends(api: Api) -> None:
    """Left out, there is no end, also where the first version made the key or a project began with it."""
    key = await made(api)
    project = await api.raw("createProject", body={"name": "P"})
    old = (await api.through("v1").raw("createOrganizationApiKey", body={"name": "k"}))["apiKey"]
    assert key["expiresAt"] is project["apiKey"]["expiresAt"] is None
    assert (await api.raw("getOrganizationApiKey", old["id"]))["expiresAt"] is None
    api.emu.clock.advance(3650 * DAY)
    assert await status(api, key["value"]) == 200


@pytest.mark.parametrize("days", [0, -1, 1.5, "1", True, None, 10**9])
@V2
async def test_an_expiry_is_a_number_of_days(api: Api, days: object) -> None:
    """One day or more, whole, and no further than there are dates; null is nothing that a creation takes."""
    await api.refused(400, "createOrganizationApiKey", body={"name": "k", "expiresInDays": days})


@V2
async def test_an_end_beyond_all_dates_is_the_last_date(api: Api) -> None:
    """Where the clock was moved very far, a key or a grace period ends when there are no more dates."""
    api.emu.clock.advance(7_900 * 365 * DAY)
    key = await made(api, expiresInDays=1_000_000)
    assert key["expiresAt"].startswith("9999-12-31T")
    new = await rotated(api, key, gracePeriodInHours=24_000_000)
    assert new["rotatesAt"] == key["expiresAt"]


@V2
async def test_the_first_version_takes_no_expiry(api: Api) -> None:
    """It does not know the field, and has no rotation."""
    old = api.through("v1")
    assert (await old.call("createOrganizationApiKey", body={"name": "k", "expiresInDays": 1})).status == 400
    key = await made(api)
    assert (await old.send("POST", f"/v1/organization/api-keys/{key['id']}/rotate")).status == 404


@pytest.mark.parametrize("body", [None, {}, {"gracePeriodInHours": 0}])
@V2
async def test_without_grace_the_old_value_ends_at_once(api: Api, body: object) -> None:
    """The same key has another value, which is in full only in this answer."""
    key = await made(api)
    new = await api.raw("rotateOrganizationApiKey", key["id"], body=body)
    assert new == {**key, "value": new["value"]}
    assert new["value"] != key["value"]
    assert [await status(api, value) for value in (key["value"], new["value"])] == [401, 200]
    shown = await api.raw("getOrganizationApiKey", key["id"])
    assert shown == {**new, "value": mask(new["value"]), "lastUsed": shown["lastUsed"]}


@V2
async def test_with_grace_both_values_are_good_until_the_old_one_ends(api: Api) -> None:
    """The new value comes as `shadowValue`, and only it in full; the old one is refused from `rotatesAt` on."""
    key = await made(api)
    new = await rotated(api, key, gracePeriodInHours=3)
    assert (new["id"], new["value"]) == (key["id"], mask(key["value"]))
    assert 2.99 * HOUR < at(new["rotatesAt"]) - at(key["created_at"]) < 3.01 * HOUR
    shown = await api.raw("getOrganizationApiKey", key["id"])
    assert (shown["value"], shown["shadowValue"]) == (new["value"], mask(new["shadowValue"]))
    assert [await status(api, value) for value in (key["value"], new["shadowValue"])] == [200, 200]
    api.emu.clock.advance(3 * HOUR)
    assert [await status(api, value) for value in (key["value"], new["shadowValue"])] == [401, 200]


@V2
async def test_a_rotation_is_completed_by_listing_and_not_by_a_get(api: Api) -> None:
    """A get may show the old picture with a time in the past; a listing shows the new value in its place."""
    key = await made(api)
    new = await rotated(api, key, gracePeriodInHours=1)
    api.emu.clock.advance(HOUR)
    shown = await api.raw("getOrganizationApiKey", key["id"])
    assert (shown["value"], shown["rotatesAt"]) == (new["value"], new["rotatesAt"])
    [listed, _] = (await api.raw("listOrganizationApiKeys"))["apiKeys"]
    assert (listed["value"], listed["shadowValue"], listed["rotatesAt"]) == (mask(new["shadowValue"]), None, None)
    assert (await api.raw("getOrganizationApiKey", key["id"]))["value"] == listed["value"]
    assert await status(api, new["shadowValue"]) == 200


@V2
async def test_a_listing_that_lags_completes_no_rotation_before_its_time(api: Api) -> None:
    """It shows the key as it was then, with both values, and leaves it so for the reads that do not lag."""
    key = await made(api)
    api.emu.faults.add("listOrganizationApiKeys", Stale(60), times=1)
    new = await rotated(api, key, gracePeriodInHours=1)
    api.emu.clock.advance(HOUR + timedelta(seconds=30))
    for expected in (mask(new["shadowValue"]), None):
        listed = (await api.raw("listOrganizationApiKeys"))["apiKeys"][0]
        assert listed["shadowValue"] == expected


@V2
async def test_who_uses_an_outgoing_value_is_told_when_it_ends(api: Api) -> None:
    """`Sunset` and a warning are on every answer of v2 to the old value, refusals too, and on none to the new one."""
    key = await made(api)
    new = await rotated(api, key, gracePeriodInHours=1)
    for answer in (
        await api.call("listProjects", key=key["value"]),
        await api.call("getProject", "none", key=key["value"]),
        await api.call("createProject", body={}, key=key["value"]),
    ):
        assert abs(parsedate_to_datetime(answer.headers["Sunset"]) - at(new["rotatesAt"])) < timedelta(seconds=1)
        assert new["rotatesAt"] in answer.headers["X-Api-Key-Warning"]
    for caller, value in ((api, new["shadowValue"]), (api.through("v1"), key["value"]), (api, api.emu.api_key)):
        answer = await caller.call("listProjects", key=value)
        assert not {"Sunset", "X-Api-Key-Warning"} & set(answer.headers)


@V2
async def test_the_grace_is_never_longer_than_the_key(api: Api) -> None:
    """`rotatesAt` is cut to the expiry, to the new one if the rotation sets it."""
    key = await made(api, expiresInDays=1)
    new = await rotated(api, key, gracePeriodInHours=48)
    assert new["rotatesAt"] == new["expiresAt"] == key["expiresAt"]
    other = await made(api)
    cut = await rotated(api, other, gracePeriodInHours=48, expiresInDays=1)
    assert cut["rotatesAt"] == cut["expiresAt"]


@V2
async def test_an_expiry_is_kept_set_or_removed_by_a_rotation(api: Api) -> None:
    """Left out, null and a number are three things."""
    key = await made(api, expiresInDays=10)
    assert (await rotated(api, key))["expiresAt"] == key["expiresAt"]
    api.emu.clock.advance(DAY)
    later = await rotated(api, key, expiresInDays=10)
    assert DAY <= at(later["expiresAt"]) - at(key["expiresAt"]) < DAY + HOUR
    assert (await rotated(api, key, expiresInDays=None))["expiresAt"] is None


@V2
async def test_an_expired_key_comes_back_by_rotation(api: Api) -> None:
    """It needs another end, or none, and no grace: there is nothing left of the old value."""
    key = await made(api, expiresInDays=1)
    api.emu.clock.advance(DAY)
    for body in ({}, {"gracePeriodInHours": 1}, {"gracePeriodInHours": 1, "expiresInDays": 5}):
        await api.refused(400, "rotateOrganizationApiKey", key["id"], body=body)
    new = await rotated(api, key, expiresInDays=None)
    assert [await status(api, value) for value in (key["value"], new["value"])] == [401, 200]


@pytest.mark.parametrize(
    "body", [{"gracePeriodInHours": -1}, {"gracePeriodInHours": None}, {"expiresInDays": 0}, {"grace": 1}, []]
)
@V2
async def test_a_rotation_of_the_wrong_shape_is_400(api: Api, body: object) -> None:
    """No value is changed by what is refused."""
    key = await made(api)
    await api.refused(400, "rotateOrganizationApiKey", key["id"], body=body)


@V2
async def test_an_unknown_key_cannot_be_rotated(api: Api) -> None:
    """An unknown id is 404, and so is a key of another scope."""
    project = await api.project()
    key = await made(api)
    await api.refused(404, "rotateOrganizationApiKey", 1)
    await api.refused(404, "rotateProjectApiKey", project, key["id"])


@V2
async def test_both_values_are_switched_off_and_deleted_together(api: Api) -> None:
    """`valid` is the key's, and so is its end: neither value outlives it."""
    key = await made(api)
    values = [key["value"], (await rotated(api, key, gracePeriodInHours=1))["shadowValue"]]
    for valid, expected in ((False, 401), (True, 200)):
        await api.raw("updateOrganizationApiKey", key["id"], body={"valid": valid})
        assert [await status(api, value) for value in values] == [expected, expected]
    await api.raw("deleteOrganizationApiKey", key["id"])
    assert [await status(api, value) for value in values] == [401, 401]


@V2
async def test_a_deactivated_key_stays_so_when_it_is_rotated(api: Api) -> None:
    """Another value does not switch it on."""
    key = await made(api)
    await api.raw("updateOrganizationApiKey", key["id"], body={"valid": False})
    new = await rotated(api, key)
    assert new["valid"] is False
    assert await status(api, new["value"]) == 401


@V2
async def test_a_key_can_rotate_itself(api: Api) -> None:
    """The answer still comes, and the next call with the old value is 401."""
    key = await made(api)
    answer = await api.call("rotateOrganizationApiKey", key["id"], key=key["value"])
    assert answer.status == 200
    assert [await status(api, value) for value in (key["value"], answer.body["data"]["value"])] == [401, 200]


@V2
async def test_a_projects_key_is_rotated_likewise(api: Api) -> None:
    """Its values are a project's, old and new."""
    project = await api.project()
    [key] = (await api.raw("listProjectApiKeys", project))["apiKeys"]
    new = await api.raw("rotateProjectApiKey", project, key["id"], body={"gracePeriodInHours": 1})
    assert new["shadowValue"].startswith("confident_us_proj_")
    assert await status(api, new["shadowValue"]) == 403


@V2
async def test_no_value_is_recorded(api: Api) -> None:
    """Every value that a key ever had is masked in what is recorded."""
    key = await made(api)
    new = (await rotated(api, key, gracePeriodInHours=1))["shadowValue"]
    await api.call("getProject", new)
    await api.call("createProject", body={"name": new})
    assert new not in str(api.emu.calls)


@pytest.fixture
async def second(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A caller of an emulator that was told what a second rotation does."""
    async with Emulator(second_rotation=request.param) as emu, aiohttp.ClientSession() as session:
        yield Api(emu, session, "v2")


@pytest.mark.parametrize(
    ("second", "expected"),
    [("supersede", [200, 401, 200]), ("old-dies", [401, 200, 200]), ("refuse", [200, 200])],
    indirect=["second"],
)
async def test_what_a_second_rotation_does_can_be_chosen(second: Api, expected: list[int]) -> None:
    """Of the first, the second and the third value one is refused, or the rotation is."""
    key = await made(second)
    values = [key["value"], (await rotated(second, key, gracePeriodInHours=1))["shadowValue"]]
    answer = await second.call("rotateOrganizationApiKey", key["id"], body={"gracePeriodInHours": 2})
    assert answer.status == (200 if len(expected) == 3 else 409)
    if answer.status == 200:
        values.append(answer.body["data"]["shadowValue"])
    assert [await status(second, value) for value in values] == expected
    second.emu.clock.advance(2 * HOUR)
    assert [await status(second, value) for value in values] == [401] * (len(values) - 1) + [200]


@V2
async def test_a_rotation_that_is_due_is_completed_by_the_next(api: Api) -> None:
    """What replaced the first value is the outgoing one of the next rotation."""
    key = await made(api)
    one = (await rotated(api, key, gracePeriodInHours=1))["shadowValue"]
    api.emu.clock.advance(HOUR)
    two = await rotated(api, key, gracePeriodInHours=1)
    assert two["value"] == mask(one)
    assert [await status(api, value) for value in (key["value"], one, two["shadowValue"])] == [401, 200, 200]


def test_a_second_rotation_does_one_of_three_things() -> None:
    """Another word is an error when the emulator is made."""
    Emulator(second_rotation="supersede")
    with pytest.raises(ValueError, match="second_rotation must be one of supersede, refuse, old-dies"):
        Emulator(second_rotation="both")  # type: ignore[arg-type]


async def test_a_key_of_a_seed_may_have_an_end() -> None:
    """It is past or to come, null is none, and keys are listed by when they were made."""
    keys = [
        {"name": "new"},
        {"name": "ended", "createdAt": "2020-01-01T00:00:00Z", "expiresAt": "2021-01-01T00:00:00Z"},
        {"name": "ends", "createdAt": "2022-01-01T00:00:00Z", "expiresAt": "2999-01-01T00:00:00+01:00"},
    ]
    about = {"createdAt": "2019-01-01T00:00:00Z"}
    seed = {"organization": about, "members": [{"email": "o@x.example", "role": "Owner"}], "apiKeys": keys}
    async with Emulator(seed=seed) as emu, aiohttp.ClientSession() as session:
        listed = (await Api(emu, session, "v2").raw("listOrganizationApiKeys"))["apiKeys"]
    assert [(key["name"], key["expiresAt"]) for key in listed[:3]] == [
        ("new", None),
        ("ends", "2998-12-31T23:00:00.000Z"),
        ("ended", "2021-01-01T00:00:00.000Z"),
    ]
    assert len(listed) == 4
