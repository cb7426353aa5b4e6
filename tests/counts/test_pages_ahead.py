"""The pages that a walk asks for, and when.

That no more than 8 are under way at the same time is shown by `operations/test_pages.py`.
"""

from __future__ import annotations

import pytest

from confidentai_admin import ConfidentAI

from ..operations.faces import done, everything, next_of, opened
from ..operations.serving import serving
from .crowd import Crowd

pytestmark = pytest.mark.both_faces

KEY = "confident_us_org_" + "k" * 43


async def test_a_walk_asks_for_each_page_once(face: type[ConfidentAI]) -> None:
    """9,999 members in pages of 100 are 100 requests, one for each page, and nothing is asked for after the end."""
    crowd = Crowd(9999)
    with serving(crowd) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walk = client.organization().members.iter()
            assert len(await everything(walk)) == 9999
            assert await next_of(walk) is None
    assert sorted(crowd.asked) == list(range(1, 101))


@pytest.mark.parametrize("pages", [1, 8, 9, 17])
async def test_after_a_last_page_that_is_full_one_more_is_asked_for(face: type[ConfidentAI], pages: int) -> None:
    """Only a page that is short, or empty, tells that nothing comes after it: the count may lag."""
    crowd = Crowd(100 * pages)
    with serving(crowd) as url:
        async with opened(face(KEY, base_url=url)) as client:
            assert len(await everything(client.organization().members.iter())) == 100 * pages
    assert sorted(crowd.asked) == list(range(1, pages + 2))


async def test_a_find_asks_for_each_page_once(face: type[ConfidentAI]) -> None:
    """To find one of 1,999 members takes the 20 pages that the walk over them takes, once each."""
    crowd = Crowd(1999)
    with serving(crowd) as url:
        async with opened(face(KEY, base_url=url)) as client:
            assert await done(client.organization().members.find("member7@acme.example")) is not None
    assert sorted(crowd.asked) == list(range(1, 21))


async def test_pages_are_asked_for_when_what_came_before_is_used_up(face: type[ConfidentAI]) -> None:
    """A walk begins with the first page alone, and is then up to 8 pages ahead, in windows, at every item."""
    crowd = Crowd(205)
    with serving(crowd) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walk = client.organization().members.iter(page_size=10)
            assert crowd.asked == []
            for number in range(1, 206):
                assert await next_of(walk) is not None
                last = 1 if number <= 10 else 9 if number <= 90 else 17 if number <= 170 else 21
                assert sorted(crowd.asked) == list(range(1, last + 1)), f"at item {number}"
            assert await next_of(walk) is None
    assert sorted(crowd.asked) == list(range(1, 22))


@pytest.mark.parametrize("how_far", [1, 10])
async def test_who_stops_on_the_first_page_asks_for_no_more(face: type[ConfidentAI], how_far: int) -> None:
    """A walk that ends after the first item, or the last one of the first page, has asked for that page alone."""
    crowd = Crowd(1000)
    with serving(crowd) as url:
        async with opened(face(KEY, base_url=url)) as client:
            walk = client.organization().members.iter(page_size=10)
            for _ in range(how_far):
                assert await next_of(walk) is not None
    # What was under way is over: the client is closed, and so is the server.
    assert crowd.asked == [1]
