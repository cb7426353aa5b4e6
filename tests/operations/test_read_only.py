"""A client that may only read."""

from __future__ import annotations

import pytest

from confidentai_admin import ConfidentAI, ConfigurationError
from confidentai_admin.emulator._contract.v1 import BY_NAME

from .cases import CASES
from .cases.case import Case
from .faces import assert_same, done, opened
from .serving import Recorder, serving

KEY = "an-organization-key"

each_read = pytest.mark.parametrize("case", [c for c in CASES if not BY_NAME[c.operation].changes_state], ids=str)
each_write = pytest.mark.parametrize("case", [c for c in CASES if BY_NAME[c.operation].changes_state], ids=str)


@each_write
@pytest.mark.parametrize("is_view", [False, True])
async def test_no_write_is_sent(case: Case, is_view: bool, face: type[ConfidentAI]) -> None:
    """Whatever could change something is refused before a request, and the error says which operation it was."""
    recorder = Recorder({})
    with serving(recorder) as url:
        async with opened(face(KEY, base_url=url, read_only=not is_view)) as client:
            reader = client.with_options(read_only=True) if is_view else client
            with pytest.raises(ConfigurationError, match="read-only") as caught:
                await done(case.call(reader))
    assert caught.value.operation == case.operation
    assert caught.value.method == case.method
    assert not caught.value.outcome_unknown
    assert recorder.received == []


@each_read
async def test_every_read_is_as_usual(case: Case, face: type[ConfidentAI]) -> None:
    """Reading is not affected."""
    with serving(Recorder({"success": True, "data": case.data})) as url:
        async with opened(face(KEY, base_url=url, read_only=True)) as client:
            assert_same(await done(case.call(client)), case.result)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "PATCH"])
async def test_request_takes_the_method_as_the_guide(method: str, face: type[ConfidentAI]) -> None:
    """An operation that the SDK does not know is a read only if it is a GET; ``repeatable`` does not make it one."""
    recorder = Recorder({"success": True, "data": 1})
    with serving(recorder) as url:
        async with opened(face(KEY, base_url=url, read_only=True)) as client:
            if method == "GET":
                assert await done(client.request(method, "/v1/new")) == 1
            else:
                for repeatable in (None, True, False):
                    with pytest.raises(ConfigurationError, match="read-only"):
                        await done(client.request(method, "/v1/new", repeatable=repeatable))
    assert len(recorder.received) == (method == "GET")


async def test_what_is_read_only_stays_so(face: type[ConfidentAI]) -> None:
    """No view of a read-only client can write, and a view that reads only takes nothing from its client."""
    with serving(Recorder({"success": True, "data": {"id": "p", "deleted": True}})) as url:
        async with opened(face(KEY, base_url=url)) as client:
            reader = client.with_options(read_only=True)
            with pytest.raises(ConfigurationError, match="read-only"):
                reader.with_options(read_only=False)
            with pytest.raises(ConfigurationError, match="read-only"):
                await done(reader.with_options(timeout=5).project("p").delete())
            assert (await done(client.with_options(read_only=False).project("p").delete())).deleted


@pytest.mark.parametrize("value", [1, "yes", "", 0])
def test_it_is_a_truth_value(value: object, face: type[ConfidentAI]) -> None:
    """Anything but True and False is refused, since what is meant decides whether things can be deleted."""
    with pytest.raises(TypeError, match="read_only must be True or False"):
        face(KEY, read_only=value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="read_only must be True or False"):
        face(KEY).with_options(read_only=value)  # type: ignore[arg-type]
