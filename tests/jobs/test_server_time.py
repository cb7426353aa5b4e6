"""What was there before something was asked for, by the clock of the server."""

from __future__ import annotations

import datetime

import pytest

from confidentai_admin import CallDetails
from confidentai_admin._jobs.server_time import Asked
from confidentai_admin._surroundings import SystemClock

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
LISTED = CallDetails("listProjects", "GET", "/", 200, {"Date": "Sun, 01 Mar 2026 12:00:00 GMT"}, None, 1, 0.1)


class StandingClock(SystemClock):
    """A clock that stands."""

    def monotonic(self) -> float:
        return 100.0


@pytest.mark.parametrize(
    ("seconds", "was_there"),
    [(-1, False), (0, False), (2, False), (6.9, False), (7.1, True), (3600, True)],
)
def test_what_is_older_than_the_request_was_there(seconds: float, was_there: bool) -> None:
    """A thing is certainly older than a request of 2 s ago from 5 s more on: so far may the server's clocks differ."""
    asked = Asked(StandingClock(), 98.0)
    assert asked.was_after(NOW - datetime.timedelta(seconds=seconds), LISTED) is was_there
