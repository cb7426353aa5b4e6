"""What users put in a client's place, and what they make of it: mocks that know its form, and classes of their own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec

import pytest

from confidentai_admin import (
    AsyncConfidentAI,
    AsyncKeyRotation,
    AsyncOrganizationClient,
    AsyncProjectClient,
    ConfidentAI,
    ConfidentAIError,
    ConfigurationError,
    KeyRotation,
    OrganizationClient,
    ProjectClient,
    errors,
)
from confidentai_admin.emulator import Emulator

from .faces import done, opened
from .tree import tree_of

pytestmark = pytest.mark.both_faces

KEY = "an-organization-key"
FACES: tuple[type[ConfidentAI | AsyncConfidentAI], ...] = (AsyncConfidentAI, ConfidentAI)


# Mocks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("face", FACES)
def test_each_class_tells_what_its_objects_hold(face: type[ConfidentAI]) -> None:
    """Whatever hangs on an object of the client, its class has too, as an object of the same class."""
    for place, thing in tree_of(face).objects.items():
        for name, value in vars(thing).items():
            if not name.startswith("_"):
                declared = inspect.getattr_static(type(thing), name)
                assert type(declared) is type(value), f"{place}.{name}"
                assert value is not declared, f"{place}.{name}"


MOCKS: dict[str, Callable[[Any], Any]] = {
    "an autospecced instance": lambda kind: create_autospec(kind, instance=True),
    "an autospecced class": lambda kind: create_autospec(kind)(KEY),
    "a Mock": lambda kind: Mock(spec=kind),
    "a MagicMock that takes no other": lambda kind: MagicMock(spec_set=kind),
}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("form", MOCKS)
def test_a_mock_knows_what_a_client_has(form: str, face: type[ConfidentAI]) -> None:
    """A mock of the class is taken for a client, has all that a client has, and nothing else."""
    mock = MOCKS[form](face)
    assert isinstance(mock, face)
    for name in dir(face):
        if not name.startswith("_"):
            assert hasattr(mock, name), name
    assert not hasattr(mock, "project_s")


@pytest.mark.parametrize("kind", [OrganizationClient, ProjectClient, AsyncOrganizationClient, AsyncProjectClient])
async def test_a_mock_of_a_part_knows_its_parts(kind: Any) -> None:
    """What ``organization()`` and ``project()`` give can be mocked as well, down to the last method."""
    mock = create_autospec(kind, instance=True)
    await done(mock.iam.roles.find("Member"))
    await done(mock.members.list(page=2))
    await done(mock.invitations.ensure(["a@example.com"]))
    mock.api_keys.rotate(7, retire="keep")
    for part, wrong in ((mock.iam.roles, "fnid"), (mock.iam, "role"), (mock, "membres"), (mock.api_keys, "rotat")):
        assert not hasattr(part, wrong)
    with pytest.raises(TypeError):
        mock.api_keys.rotate(7, retired="keep")
    assert isinstance(mock.api_keys, type(kind.api_keys))


async def test_an_autospecced_client_is_called_as_the_real_one(face: type[ConfidentAI]) -> None:
    """On an autospecced client calls are awaited or not as on the real one, and misspelt ones fail."""
    client = create_autospec(face, instance=True)
    client.projects.create.return_value = "created"
    assert await done(client.projects.create("checkout")) == "created"
    client.projects.create.assert_called_once_with("checkout")
    assert isinstance(client.projects.create, AsyncMock) is issubclass(face, AsyncConfidentAI)
    with pytest.raises(AttributeError):
        client.projects.creat  # noqa: B018
    with pytest.raises(AttributeError):
        client.project_s  # noqa: B018
    with pytest.raises(TypeError):
        client.projects.create(nam="checkout")


def test_what_a_class_tells_is_no_client() -> None:
    """What hangs on the class makes no call: it is there to be looked at."""
    roles: Any = OrganizationClient.iam.roles
    with pytest.raises(AttributeError):
        roles.list()


ERRORS: list[type[ConfidentAIError]] = [
    kind
    for kind in map(functools.partial(getattr, errors), errors.__all__)
    if isinstance(kind, type) and issubclass(kind, ConfidentAIError)
]


@pytest.mark.parametrize("kind", ERRORS)
def test_a_mock_of_an_error_knows_what_an_error_has(kind: type[ConfidentAIError]) -> None:
    """A mock of an error's class has all that an error has, and nothing else."""
    for mock in (create_autospec(kind, instance=True), Mock(spec=kind)):
        for name in vars(kind("what happened")):
            assert hasattr(mock, name), name
        assert not hasattr(mock, "statuz")


# Classes of users' own ------------------------------------------------------------------------------------------------


class Admin(ConfidentAI):
    """A user's client."""

    region_name = "class"

    def __init__(self, *args: Any, tenant: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.tenant = tenant
        self.cache: dict[str, str] = {}

    def name(self) -> str:
        return f"{self.tenant}-checkout"


class SlottedAdmin(Admin):
    """One that keeps some of what it has in slots."""

    __slots__ = ("__hidden", "owner")

    def __init__(self, *args: Any, owner: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.owner = owner
        self.__hidden = owner.upper()

    def hidden(self) -> str:
        return self.__hidden

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("not pickled")

    def __getstate__(self) -> object:
        raise TypeError("not pickled")


class AsyncAdmin(AsyncConfidentAI):
    """The same for asynchronous code."""

    def __init__(self, *args: Any, tenant: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.tenant = tenant
        self.cache: dict[str, str] = {}

    def name(self) -> str:
        return f"{self.tenant}-checkout"


@pytest.mark.parametrize("kind", [Admin, AsyncAdmin])
async def test_a_view_of_a_users_client_is_whole(kind: type[Admin], emulator: Emulator) -> None:
    """A view has what the user's class added, the same objects, and the limits of its own; so has a view of a view."""
    client = kind(emulator.api_key, base_url=emulator.url, tenant="acme")
    async with opened(client):
        view = client.with_options(max_retries=0).with_options(read_only=True)
        assert type(view) is kind
        assert view.name() == "acme-checkout"
        assert view.cache is client.cache
        assert view.projects is not client.projects
        with pytest.raises(ConfigurationError, match="read-only"):
            await done(view.projects.create(view.name()))
        await done(client.projects.create(client.name()))
        close: Callable[[], Any] = view.close
        await done(close())
        assert [project.name for project in await done(client.projects.list())] == ["acme-checkout"]
        view.tenant = "other"
        assert client.tenant == "acme"


def test_a_view_has_what_is_in_slots_and_is_not_pickled_for_it() -> None:
    """Slots are carried over, mangled names among them, and a class that forbids pickling has views all the same."""
    client = SlottedAdmin(KEY, tenant="acme", owner="ada")
    view = client.with_options(timeout=5)
    assert (view.owner, view.tenant, view.hidden()) == ("ada", "acme", "ADA")


def test_a_view_lacks_what_its_client_lacks() -> None:
    """An attribute that was never set, or was taken away, is missing in the view as it is in the client."""
    client = SlottedAdmin(KEY, tenant="acme", owner="ada")
    del client.owner
    del client.tenant
    view = client.with_options(timeout=5)
    assert not hasattr(view, "owner")
    assert not hasattr(view, "tenant")


@pytest.mark.parametrize("kind", [Admin, AsyncAdmin])
async def test_a_users_client_enters_as_itself(kind: type[Admin], emulator: Emulator) -> None:
    """The block of a ``with`` has the very client."""
    client: Any = kind(emulator.api_key, base_url=emulator.url, tenant="acme")
    if isinstance(client, AsyncConfidentAI):
        async with client as entered:
            assert entered is client
    else:
        with client as entered:
            assert entered is client


def test_rotations_can_be_mocked() -> None:
    """What ``rotate`` gives is a context manager, for mocks too."""
    assert hasattr(create_autospec(KeyRotation, instance=True), "__enter__")
    assert hasattr(create_autospec(AsyncKeyRotation, instance=True), "__aenter__")
