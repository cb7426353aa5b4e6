"""Lists that come in pages: one page, and a walk over all of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

import pytest
from aiohttp import TraceConfig, web

from confidentai_admin import (
    APIResponseValidationError,
    AsyncPageIterator,
    BadRequestError,
    ConfidentAI,
    InternalServerError,
    NamedRef,
    NotFoundError,
    OrganizationMember,
    Page,
    PageIterator,
)
from confidentai_admin.emulator import Emulator

from .faces import done, everything, next_of, opened
from .lookups import new_project
from .serving import serving

pytestmark = pytest.mark.both_faces

KEY = "confident_us_org_" + "k" * 43


# One page -------------------------------------------------------------------------------------------------------------


async def test_a_page_is_a_sequence_of_what_is_on_it(client: ConfidentAI, emulator: Emulator) -> None:
    """A page has a length, indices, slices, membership and both directions, of its own items only."""
    for number in range(6):
        emulator.add_member(f"new{number}@acme.example")
    members = client.organization().members
    every = list(await done(members.list(page_size=100)))
    assert len(every) == 10

    page = await done(members.list(page=2, page_size=4))

    assert isinstance(page, Page)
    assert isinstance(page, Sequence)
    assert (page.total, page.page, page.page_size) == (10, 2, 4)
    assert len(page) == 4
    assert list(page) == page.items == every[4:8]
    assert (page[0], page[-1]) == (every[4], every[7])
    assert page[1:3] == every[5:7]
    assert page[::-1] == list(reversed(page)) == every[7:3:-1]
    assert every[5] in page
    assert every[0] not in page
    assert (page.index(every[6]), page.count(every[6])) == (2, 1)
    assert page
    with pytest.raises(IndexError):
        page[4]


async def test_pages_know_whether_there_is_another(client: ConfidentAI) -> None:
    """`has_next` is true until the page on which the last item is; a page beyond the end is empty and false."""
    members = client.organization().members
    pages = [await done(members.list(page=number, page_size=2)) for number in (1, 2, 3)]
    assert [page.has_next for page in pages] == [True, False, False]
    assert [len(page) for page in pages] == [2, 2, 0]
    assert [page.total for page in pages] == [4, 4, 4]
    assert not pages[2]
    short = await done(members.list(page=2, page_size=3))
    assert (len(short), short.has_next) == (1, False)
    default = await done(members.list())
    assert (default.page, default.page_size, default.has_next) == (1, 25, False)


# A walk, on the emulator ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowd() -> dict[str, object]:
    """A seed with 950 members in the organization, 203 of them in the only project, and 37 more projects."""
    addresses = [f"member{number}@acme.example" for number in range(949)]
    return {
        "members": [
            {"email": "owner@acme.example", "role": "Owner"},
            *({"email": address} for address in addresses),
        ],
        "governancePolicies": [{"name": "Baseline"}],
        "projects": [
            {
                "name": "Crowded",
                "governancePolicy": "Baseline",
                "members": [{"email": address} for address in addresses[:203]],
            },
            *({"name": f"Project {number}", "governancePolicy": "Baseline"} for number in range(37)),
        ],
    }


@pytest.mark.parametrize("page_size", [100, 99, 97, 41])
async def test_iter_walks_all_members_once(face: type[ConfidentAI], crowd: dict[str, object], page_size: int) -> None:
    """Every member comes, once, in the order of the pages, however the pages are cut."""
    with Emulator(seed=crowd) as emulator:
        async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
            walked = await everything(client.organization().members.iter(page_size=page_size))
    assert [member.email for member in walked] == [
        "owner@acme.example",
        *(f"member{number}@acme.example" for number in range(949)),
    ]
    assert len({member.id for member in walked}) == 950


@pytest.mark.parametrize("page_size", [1, 7, 20, 100])
async def test_iter_walks_a_projects_members_and_a_policys_projects(
    face: type[ConfidentAI], crowd: dict[str, object], page_size: int
) -> None:
    """The members of a project and the projects on a policy are walked in the same way."""
    with Emulator(seed=crowd) as emulator:
        async with opened(face(emulator.api_key, base_url=emulator.url)) as client:
            crowded = (await done(client.projects.list()))[0]
            members = await everything(client.project(crowded.id).members.iter(page_size=page_size))
            policies = client.organization().governance.policies
            (baseline,) = await done(policies.list())
            projects = await everything(policies.iter_projects(baseline.id, page_size=page_size))
    assert [member.email for member in members] == [f"member{number}@acme.example" for number in range(203)]
    assert [project.name for project in projects] == ["Crowded", *(f"Project {number}" for number in range(37))]


async def test_iter_can_stop_and_go_on(client: ConfidentAI, emulator: Emulator) -> None:
    """A walk is asked for one item at a time, and what is left comes later; after the end, nothing comes."""
    for number in range(20):
        emulator.add_member(f"new{number}@acme.example")
    walk = client.organization().members.iter(page_size=3)
    first, second = await next_of(walk), await next_of(walk)
    assert first is not None
    assert second is not None
    rest = await everything(walk)
    assert len({first.id, second.id, *(member.id for member in rest)}) == 24
    assert await next_of(walk) is None
    assert await next_of(walk) is None


async def test_iter_of_nothing_gives_nothing(client: ConfidentAI) -> None:
    """A list without an item is walked without an error."""
    project = await new_project(client)
    assert await everything(project.members.iter()) == []


async def test_iter_raises_what_the_server_refuses(client: ConfidentAI) -> None:
    """A page size out of range and an unknown id are the same errors as of a single page, on the first item."""
    with pytest.raises(BadRequestError) as caught:
        await next_of(client.organization().members.iter(page_size=101))
    assert caught.value.operation == "listMembers"
    with pytest.raises(NotFoundError):
        await next_of(client.project("nowhere").members.iter())
    policies = client.organization().governance.policies
    with pytest.raises(NotFoundError):
        await next_of(policies.iter_projects("nowhere"))
    with pytest.raises(ValueError, match="policy_id"):
        policies.iter_projects("")


# A walk over a list that moves ----------------------------------------------------------------------------------------


class MovingList:
    """A server of members whose list can change, or fail, while it is read.

    Before each request is answered, `before` is called with the number of the page and how often it was asked for.
    The server counts `total` members, or those that there are, and no page has more than `largest_page` of them.
    """

    def __init__(self, count: int) -> None:
        self.ids = [f"usr-{number:03}" for number in range(count)]
        self.total: int | None = None
        self.largest_page = 100
        self.before: Callable[[int, int], None] = lambda page, time: None
        self.asked: list[int] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with one page."""
        page, size = int(request.query["page"]), min(int(request.query["pageSize"]), self.largest_page)
        self.asked.append(page)
        try:
            self.before(page, self.asked.count(page))
        except ValueError as error:
            return web.json_response({"success": False, "error": str(error)}, status=500)
        ids = self.ids[(page - 1) * size : page * size]
        total = len(self.ids) if self.total is None else self.total
        members = [{"id": each, "email": f"{each}@acme.example"} for each in ids]
        return web.json_response({"success": True, "data": {"members": members, "total": total}})


async def take(walk: PageIterator[OrganizationMember], into: list[str], count: int | None = None) -> list[str]:
    """Add the ids of the next items, all of them or so many, to a list, which an error leaves as far as it is."""
    for _ in itertools.count() if count is None else range(count):
        member = await next_of(walk)
        if member is None:
            break
        into.append(member.id)
    return into


async def test_a_removal_in_the_middle_loses_nobody_else(face: type[ConfidentAI]) -> None:
    """When somebody is removed and all pages move up, everybody else still comes, once."""
    moving = MovingList(50)
    stayed = set(moving.ids) - {"usr-001"}
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walk = client.organization().members.iter(page_size=5)
            ids = await take(walk, [], 5)
            moving.ids.remove("usr-001")
            await take(walk, ids)
    assert len(ids) == len(set(ids))
    assert set(ids) == stayed | {"usr-001"}


@pytest.mark.parametrize("when", range(1, 11))
async def test_a_removal_between_any_two_pages_loses_nobody_else(face: type[ConfidentAI], when: int) -> None:
    """Whenever the removal comes, in a window of pages that are read together or between two, nobody else is lost."""
    moving = MovingList(50)
    stayed = set(moving.ids) - {"usr-000"}

    def remove(page: int, time: int) -> None:
        if len(moving.asked) == when and "usr-000" in moving.ids:
            moving.ids.remove("usr-000")

    moving.before = remove
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            ids = [member.id for member in await everything(client.organization().members.iter(page_size=5))]
    assert len(ids) == len(set(ids))
    assert set(ids) - {"usr-000"} == stayed


async def test_an_arrival_in_the_middle_doubles_nobody(face: type[ConfidentAI]) -> None:
    """When somebody new comes to the front and all pages move down, nobody comes twice."""
    moving = MovingList(50)
    before = set(moving.ids)
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walk = client.organization().members.iter(page_size=5)
            ids = await take(walk, [], 5)
            moving.ids.insert(0, "usr-new")
            await take(walk, ids)
    assert len(ids) == len(set(ids))
    assert set(ids) - {"usr-new"} == before


async def test_a_total_that_never_fits_ends_after_three_passes(face: type[ConfidentAI]) -> None:
    """If the server counts more than it gives, the list is read three times, and then it is an error, once all came."""
    moving = MovingList(10)
    moving.total = 12
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walk = client.organization().members.iter(page_size=4)
            ids = await take(walk, [], 10)
            with pytest.raises(APIResponseValidationError, match="12"):
                await next_of(walk)
    assert ids == moving.ids
    # By that count the third page would be full, so the fourth is asked for as well.
    assert sorted(moving.asked) == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]


async def test_a_total_of_zero_with_members_is_no_empty_list(face: type[ConfidentAI]) -> None:
    """If the server counts fewer than it gives, what it gives is not dropped."""
    moving = MovingList(3)
    moving.total = 0
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walked = await everything(client.organization().members.iter(page_size=4))
    assert [member.id for member in walked] == moving.ids


@pytest.mark.parametrize(("count", "total", "asked"), [(201, 199, 3), (201, 100, 3), (200, 199, 3), (100, 99, 2)])
async def test_a_total_that_lags_loses_nobody(face: type[ConfidentAI], count: int, total: int, asked: int) -> None:
    """If the server counts fewer than there are, full pages are no end: all come, and a second pass sees the same."""
    moving = MovingList(count)
    moving.total = total
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walked = await everything(client.organization().members.iter())
    assert [member.id for member in walked] == moving.ids
    assert sorted(moving.asked) == [page for page in range(1, asked + 1) for _ in range(2)]


async def test_a_total_that_catches_up_is_enough(face: type[ConfidentAI]) -> None:
    """If the count lags in the first pass and fits in the second, the list is read twice."""
    moving = MovingList(201)
    moving.total = 199

    def catch_up(page: int, time: int) -> None:
        if time == 2:
            moving.total = None

    moving.before = catch_up
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walked = await everything(client.organization().members.iter())
    assert [member.id for member in walked] == moving.ids
    assert sorted(moving.asked) == [1, 1, 2, 2, 3, 3]


async def test_more_than_counted_must_be_the_same_twice(face: type[ConfidentAI]) -> None:
    """If the count is too low and a removal moves the pages, what the first pass has missed comes with the second."""
    moving = MovingList(301)
    moving.total = 199
    stayed = set(moving.ids) - {"usr-000"}

    def remove(page: int, time: int) -> None:
        if (page, time) == (3, 1):
            moving.ids.remove("usr-000")

    moving.before = remove
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walked = await everything(client.organization().members.iter())
    ids = [member.id for member in walked]
    assert len(ids) == len(set(ids))
    assert set(ids) >= stayed


async def test_a_server_that_gives_the_same_page_forever_is_no_endless_walk(face: type[ConfidentAI]) -> None:
    """A page that brings nothing new is an end, also if it is full, as from a mock that knows one answer."""
    same = MovingList(4)

    async def always_the_first(request: web.BaseRequest) -> web.StreamResponse:
        return await same(request.clone(rel_url="/?page=1&pageSize=4"))

    with serving(always_the_first) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walked = await everything(client.organization().members.iter(page_size=4))
    assert [member.id for member in walked] == same.ids
    assert len(same.asked) == 2


# A server with pages of another size ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [49, 50, 51, 100, 101, 449, 450, 451, 499])
async def test_a_server_with_smaller_pages_than_asked_for(face: type[ConfidentAI], count: int) -> None:
    """If the server caps pages at 50, all come once, in their order, and each of its pages is asked for once."""
    moving = MovingList(count)
    moving.largest_page = 50
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walked = await everything(client.organization().members.iter(page_size=100))
    assert [member.id for member in walked] == moving.ids
    # The last page is short or empty.
    last = count // min(count, 50) + 1
    assert sorted(moving.asked) == list(range(1, last + 1))


@pytest.mark.parametrize(("count", "total"), [(51, 49), (101, 99), (201, 199), (451, 449), (451, 0)])
async def test_smaller_pages_and_a_total_that_lags(face: type[ConfidentAI], count: int, total: int) -> None:
    """If the server caps pages and counts fewer than there are, nobody is lost, and nobody comes twice."""
    moving = MovingList(count)
    moving.largest_page, moving.total = 50, total
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walked = await everything(client.organization().members.iter(page_size=100))
    assert [member.id for member in walked] == moving.ids


async def test_a_server_with_larger_pages_than_asked_for(face: type[ConfidentAI]) -> None:
    """If the server does not heed the page size, and gives 25, all come once."""
    moving = MovingList(60)

    async def by_25(request: web.BaseRequest) -> web.StreamResponse:
        return await moving(request.clone(rel_url=f"/?page={request.query['page']}&pageSize=25"))

    with serving(by_25) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walked = await everything(client.organization().members.iter(page_size=10))
    assert [member.id for member in walked] == moving.ids
    assert sorted(moving.asked) == [1, 2, 3]


async def test_pages_of_a_smaller_size_are_read_ahead(face: type[ConfidentAI]) -> None:
    """Once the size that comes is known, 8 pages are read at a time, as ever."""
    gauge = Gauge()
    moving = MovingList(900)
    moving.largest_page = 50
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url, trace_configs=[gauge.trace()])) as client:
            assert len(await everything(client.organization().members.iter())) == 900
    assert gauge.most == 8
    assert sorted(moving.asked) == list(range(1, 20))


async def test_who_goes_from_page_to_page_by_has_next_loses_nobody(face: type[ConfidentAI]) -> None:
    """Where the count lags, or the server's pages are smaller, `has_next` is true as long as there may be more."""
    for count, total, largest in ((201, 199, 100), (80, 80, 50), (130, 130, 50)):
        moving = MovingList(count)
        moving.total, moving.largest_page = total, largest
        with serving(moving) as url:
            async with opened(face(KEY, base_url=url)) as client:
                members = client.organization().members
                page = await done(members.list(page=1, page_size=100))
                ids = [member.id for member in page]
                while page.has_next:
                    page = await done(members.list(page=page.page + 1, page_size=100))
                    ids += [member.id for member in page]
        assert ids == moving.ids


# A walk whose caller changes what it walks over -----------------------------------------------------------------------


@pytest.mark.parametrize("every", [1, 2, 3])
async def test_who_removes_what_it_walks_over_sees_everybody(face: type[ConfidentAI], every: int) -> None:
    """A walk whose caller removes each item, or every second one, comes to all of them, once, and to an end."""
    moving = MovingList(600)
    everybody = list(moving.ids)
    walked: list[str] = []
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walk = client.organization().members.iter(page_size=10)
            while (member := await next_of(walk)) is not None:
                walked.append(member.id)
                if len(walked) % every == 0:
                    moving.ids.remove(member.id)
    assert sorted(walked) == everybody
    assert len(moving.ids) == 600 - 600 // every


async def test_a_count_that_never_keeps_still_is_an_error_that_contradicts_nothing(face: type[ConfidentAI]) -> None:
    """If the count changes in each pass, the error names what was counted, and not only as many as were found."""
    moving = MovingList(10)

    def change(page: int, time: int) -> None:
        moving.total = 11 if page == 1 else 10

    moving.before = change
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            with pytest.raises(APIResponseValidationError) as caught:
                await everything(client.organization().members.iter(page_size=6))
    assert sorted(moving.asked) == [1, 1, 1, 2, 2, 2]
    assert "does not keep still" in str(caught.value)
    assert "between 10 and 11" in str(caught.value)


async def test_other_members_each_time_are_an_error_that_says_so(face: type[ConfidentAI]) -> None:
    """If more came than the count says, and others in each pass, the walk ends, and the error says what was seen."""
    moving = MovingList(50)
    moving.total = 40
    everybody = itertools.count()

    def change(page: int, time: int) -> None:
        if page == 1:
            moving.ids = [f"usr-{number}" for number in itertools.islice(everybody, 50)]

    moving.before = change
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url)) as client:
            with pytest.raises(APIResponseValidationError, match="does not keep still") as caught:
                await everything(client.organization().members.iter(page_size=50))
    assert len(moving.asked) <= 40
    assert "40" in str(caught.value)
    assert "others" in str(caught.value)


@pytest.mark.parametrize("failing", [1, 2, 5, 9, 10, 20])
async def test_an_error_in_a_window_is_plain_and_the_walk_goes_on(face: type[ConfidentAI], failing: int) -> None:
    """A page that fails raises its own error, no group of errors, and asking on gives the rest, each once."""
    moving = MovingList(100)

    def fail(page: int, time: int) -> None:
        if page == failing and time == 1:
            raise ValueError(f"page {page} is broken")

    moving.before = fail
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url, max_retries=0)) as client:
            walk = client.organization().members.iter(page_size=5)
            ids: list[str] = []
            with pytest.raises(InternalServerError) as caught:
                await take(walk, ids)
            await take(walk, ids)
    assert type(caught.value) is InternalServerError
    assert caught.value.message == f"page {failing} is broken"
    assert caught.value.operation == "listMembers"
    assert ids == moving.ids


async def test_many_errors_in_a_window_are_one(face: type[ConfidentAI]) -> None:
    """When all pages of a window fail, one of the errors is raised, and the others with nobody to hear them are not."""
    moving = MovingList(100)
    broken = True

    def fail(page: int, time: int) -> None:
        if broken and page > 1:
            raise ValueError("broken")

    moving.before = fail
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url, max_retries=0)) as client:
            walk = client.organization().members.iter(page_size=5)
            ids = await take(walk, [], 5)
            for _ in range(2):
                with pytest.raises(InternalServerError) as caught:
                    await next_of(walk)
                assert type(caught.value) is InternalServerError
            broken = False
            await take(walk, ids)
    assert ids == moving.ids


# How many at a time ---------------------------------------------------------------------------------------------------


class Gauge:
    """Counts a client's requests that are under way."""

    def __init__(self) -> None:
        self._now = 0
        self.most = 0

    def trace(self) -> TraceConfig:
        """What to give a client as one of its `trace_configs`."""
        trace = TraceConfig()
        trace.on_request_start.append(self._begin)
        trace.on_request_end.append(self._end)
        return trace

    async def _begin(self, session: object, context: object, params: object) -> None:
        self._now += 1
        self.most = max(self.most, self._now)

    async def _end(self, session: object, context: object, params: object) -> None:
        self._now -= 1


@pytest.mark.parametrize(("count", "most"), [(3, 1), (4, 1), (8, 2), (20, 5), (36, 8), (40, 8), (301, 8)])
async def test_at_most_eight_pages_are_read_at_a_time(face: type[ConfidentAI], count: int, most: int) -> None:
    """The first page is read alone, and then as many as there are at once, up to one that is short, but at most 8."""
    gauge = Gauge()
    moving = MovingList(count)
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url, trace_configs=[gauge.trace()])) as client:
            walked = await everything(client.organization().members.iter(page_size=4))
    assert len(walked) == count
    assert sorted(moving.asked) == list(range(1, count // 4 + 2))
    assert gauge.most == most


async def test_a_walk_keeps_to_the_connections_there_are(face: type[ConfidentAI]) -> None:
    """A client with fewer connections than pages of a window walks as well, over those that it has."""
    moving = MovingList(101)
    with serving(moving) as url:
        async with opened(face(KEY, base_url=url, max_connections=2)) as client:
            walked = await everything(client.organization().members.iter(page_size=4))
    assert [member.id for member in walked] == moving.ids


def test_another_threads_pages_are_not_the_end() -> None:
    """Who finds nothing left, and asks for more while another thread reads the last pages, has a share in these."""

    async def fetch(number: int) -> Page[NamedRef]:
        return Page([NamedRef("1", "one"), NamedRef("2", "two")], 2, number, 100)

    core = AsyncPageIterator(fetch)

    class Portal:
        def call(self, read_more: Callable[[], Coroutine[Any, Any, None]]) -> None:
            asyncio.run(core._read_more())  # the other thread's, which comes first
            asyncio.run(read_more())

    walk = PageIterator(core, cast(Any, Portal()))
    assert next(walk).id == "1"
    assert next(walk).id == "2"
