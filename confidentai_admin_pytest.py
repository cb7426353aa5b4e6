"""The pytest plugin: fixtures for the tests of code that uses ``confidentai_admin``.

pytest imports this module in every session wherever the package is installed, so it stands beside the package and not
in it: the client, the emulator and their libraries are imported by the tests that ask for a fixture, and by no others.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from confidentai_admin import AsyncConfidentAI, ConfidentAI
    from confidentai_admin.emulator import Emulator

_HAS_PASSED = pytest.StashKey[bool]()


# The old kind of wrapper: it is the only one of older versions of pytest.
@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Note for the end of the fixture how the test itself went."""
    outcome = yield
    item.stash[_HAS_PASSED] = call.when == "call" and outcome.get_result().passed


@pytest.fixture
def confident_emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An emulator of the Confident AI API for this test; clients that are made without arguments use it.

    Clients of this process go by its clock, so they do not really wait between attempts, and can reach no other
    machine. A fault that was added and met by no call fails a test that would have passed.
    """
    from confidentai_admin import _settings
    from confidentai_admin._surroundings import Surroundings, replaced
    from confidentai_admin.emulator import Emulator

    with Emulator() as emulator, replaced(Surroundings(clock=emulator.clock, only_this_machine=True)):
        # By the same monkeypatch as the test's own, and so taken back in the right order.
        monkeypatch.setenv(_settings.API_KEY_VARIABLE, emulator.api_key)
        monkeypatch.setenv(_settings.BASE_URL_VARIABLE, emulator.url)
        monkeypatch.setenv(_settings.REGION_VARIABLE, "")  # or it would not be known that it was not there
        monkeypatch.delenv(_settings.REGION_VARIABLE)
        yield emulator
    try:
        emulator.faults.check()
    except AssertionError as error:
        if request.node.stash.get(_HAS_PASSED, False):
            pytest.fail(str(error), pytrace=False)
        # It ended early, and its own failure is the one to look at.
        request.node.add_report_section("teardown", "confident_emulator", str(error))


@pytest.fixture
def confident_client(confident_emulator: Emulator) -> Iterator[ConfidentAI]:
    """A blocking client (ConfidentAI) of this test's confident_emulator."""
    from confidentai_admin import ConfidentAI

    with ConfidentAI(confident_emulator.api_key, base_url=confident_emulator.url) as client:
        yield client


@pytest.fixture
def async_confident_client(confident_emulator: Emulator) -> Iterator[AsyncConfidentAI]:
    """An asynchronous client (AsyncConfidentAI) of this test's confident_emulator, for the loop that first calls it."""
    from confidentai_admin import AsyncConfidentAI

    client = AsyncConfidentAI(confident_emulator.api_key, base_url=confident_emulator.url)
    yield client
    # A loop that ends with the test has closed the session, and one that runs closes it when it ends.
    loop = client._transport.pool._loop
    if loop is not None and not loop.is_closed() and not loop.is_running():
        loop.run_until_complete(client.close())
