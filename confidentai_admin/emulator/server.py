"""`Emulator`: the emulator inside a program, in the running event loop or in a thread of its own."""

import asyncio
import ipaddress
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from os import PathLike
from types import TracebackType
from typing import Any, Final, Self, get_args

import anyio
import anyio.lowlevel
from aiohttp import web

from .._surroundings import green_threads, new_event_loop
from . import seed as seeds
from ._contract.choices import PLANS
from ._contract.versions import VERSIONS
from ._http.app import App
from ._http.calls import RecordedCall
from ._http.protocol import EnvelopeServer
from ._rules.key_mask import KeyMask
from ._rules.scopes import DEFAULT_ROLE
from ._rules.world import SecondRotation, World
from .clock import Clock
from .faults import Faults
from .product import RESET
from .refusal import NOT_HTTP, RULES

# Requests are answered without waiting, so what is still there after this long is a client that stopped half-way.
_GRACE_SECONDS: Final = 0.1

# Masked values end with the key's last six characters; of a shorter key they would show half or more.
_MIN_KEY_LENGTH: Final = 13


class Emulator:
    """A server of the whole management API, on this machine, with real state and the API's rules.

    `async with Emulator() as emu:` serves in the running event loop, `with Emulator() as emu:` in a thread of its
    own, for blocking code. Point a client at `emu.url` with the key `emu.api_key`.

    The methods do what people do in the product and what the API cannot. They can be called from any thread, return
    what the API would show, and raise `Refused` (with a `status`) for what cannot be.

    Args:
        host: A loopback address. The emulator takes part in no network.
        port: The port, or 0 for a free one.
        api_key: The value of the first organization key, of 13 characters or more; made up from the seed if not given.
        plan: The organization's plan, instead of the seed's (the default world is on TEAM).
        seed: Another first state: a JSON file's path, or a mapping of the same form
            (see `confidentai_admin.emulator.seed`).
        statuses: By the name of a rule that this project assumes (SUPPORTED.md lists them), another status, 400 to
            599, with which it refuses: in answers and in `Refused.status`. A rule of the status 200 refuses only then.
        api_versions: The versions of the API to serve, all on the same state: `("v1",)` makes an older server, to which
            the paths of `/v2` are unknown.
        project_limit: How many projects the plan allows: `/v2` refuses to make more, with `details`. None for any;
            which plan allows how many is published nowhere.
        second_rotation: What becomes of an API key that is rotated while a rotation of it runs, which is published
            nowhere: `supersede` (its new replacement takes the place of the one before it), `refuse` (409), or
            `old-dies` (its oldest value ends at once, and the one before the new one has the grace period).

    Raises:
        ValueError: An argument is wrong; `SeedError`, a kind of `ValueError`, if it is the seed.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        plan: str | None = None,
        seed: str | PathLike[str] | Mapping[str, Any] | None = None,
        statuses: Mapping[str, int] | None = None,
        api_versions: Sequence[str] = tuple(VERSIONS),
        project_limit: int | None = None,
        second_rotation: SecondRotation = "supersede",
    ) -> None:
        self._host = _loopback(host)
        self._port = port
        _check_api_key(api_key)
        if plan is not None and plan not in PLANS:
            raise ValueError(f"plan must be one of {', '.join(PLANS)}.")
        _check_statuses(statuses or {})
        versions = _checked_versions(api_versions)
        if project_limit is not None and (isinstance(project_limit, bool) or not isinstance(project_limit, int)):
            raise ValueError("project_limit must be an int or None.")
        if second_rotation not in get_args(SecondRotation):
            raise ValueError(f"second_rotation must be one of {', '.join(get_args(SecondRotation))}.")
        self._clock = clock = Clock()
        # For all worlds: a key of the one before a reset may still be sent, and is not to be recorded.
        key_mask = KeyMask()
        first_state = seeds.read_seed(seed)

        def make_world() -> World:
            world = seeds.build(first_state, api_key=api_key, plan=plan, clock=clock, key_mask=key_mask)
            world.project_limit = project_limit
            world.second_rotation = second_rotation
            return world

        self._app = App(make_world, clock, statuses or {}, versions)
        self._api_key = self._app.first_api_key
        self._url: str | None = None
        self._runner: web.ServerRunner | None = None
        self._thread: _ServingThread | None = None

    @property
    def url(self) -> str:
        """The base URL, for instance `http://127.0.0.1:49152`; only while the emulator runs."""
        if self._url is None:
            raise RuntimeError("The emulator is not running: enter it with `with` or `async with` first.")
        return self._url

    @property
    def api_key(self) -> str:
        """The value of the organization key that the world begins with."""
        return self._api_key

    @property
    def clock(self) -> Clock:
        """The clock by which the emulator goes; `reset` leaves it alone."""
        return self._clock

    @property
    def faults(self) -> Faults:
        """What goes wrong at which calls: `faults.add("createProject", Answer(503))`."""
        return self._app.faults

    @property
    def calls(self) -> list[RecordedCall]:
        """The requests that have come, in their order, and what is known of them now; a copy.

        A request is here once it has come, and all about its answer once the client has the answer, or has seen the
        connection end. The latest 10,000 are kept; those of `/_emulator/` and what is not HTTP are left out.
        """
        self._app.catch_up()
        return self._app.calls.calls()

    @property
    def writes(self) -> list[RecordedCall]:
        """Those of `calls` that changed something, or sent an invitation again."""
        return [call for call in self.calls if call.changed_state]

    def sent(self, where: str) -> list[RecordedCall]:
        """Give those of `calls` that were for an operation or a path, whatever became of them.

        Args:
            where: As for `Faults.add`: an operation by its name in the contract, as `createProject`, in whichever
                version; or a path, perhaps after a method, as `POST /v1/projects`, or without a version for each.

        Raises:
            ValueError: The API has nothing there; the message names what is near.
        """
        matches = self.faults.matcher(where)
        return [call for call in self.calls if matches(call.method, call.path, call.operation)]

    def accept_invitation(self, invitation_id: int, *, name: str | None = None) -> dict[str, Any]:
        """Let the invitee accept, and return the member they have become. `name` is theirs if they are new here."""
        data = self._app.perform("accept-invitation", _given(invitationId=invitation_id, name=name))
        return _part(data, "member")

    def decline_invitation(self, invitation_id: int) -> dict[str, Any]:
        """Let the invitee decline, and return the invitation."""
        return _part(self._app.perform("decline-invitation", {"invitationId": invitation_id}), "invitation")

    def add_member(
        self,
        email: str,
        *,
        name: str | None = None,
        role: str | None = DEFAULT_ROLE,
        project_id: str | None = None,
        project_role: str | None = DEFAULT_ROLE,
    ) -> dict[str, Any]:
        """Add somebody to the organization, and to a project if one is given; return the member.

        Roles are named; None is no role. Somebody who is in the organization already can be added to a project, and
        keeps the role in the organization. `Owner` is possible only where there is none.
        """
        body = _given(email=email, name=name, projectId=project_id)
        # The default is left out, since it asks for nothing from those who are members already.
        body |= {key: value for key, value in (("role", role), ("projectRole", project_role)) if value != DEFAULT_ROLE}
        return _part(self._app.perform("add-member", body), "member")

    def create_governance_policy(
        self,
        name: str,
        *,
        description: str | None = None,
        controls: Sequence[Mapping[str, str]] = (),
    ) -> dict[str, Any]:
        """Make a governance policy and return it; each control is a mapping with `name` and `type`."""
        body = _given(name=name, description=description, controls=list(controls))
        return _part(self._app.perform("create-governance-policy", body), "governancePolicy")

    def set_verdict(self, project_id: str, passed: bool | None) -> None:
        """Say what the deployment gate of `/v2` finds of a project: None, as at first, is no data, and no pass."""
        self._app.perform("set-verdict", {"projectId": project_id, "passed": passed})

    def change_plan(self, plan: str) -> dict[str, Any]:
        """Put the organization on another plan and return the organization."""
        return _part(self._app.perform("change-plan", {"plan": plan}), "organization")

    def reset(self) -> None:
        """Go back to the first state: the same ids, the same key, and nothing of what was done since.

        Faults and recorded calls are forgotten, too. The clock goes on.
        """
        self._app.perform(RESET, {})

    async def __aenter__(self) -> Self:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(
                "`async with Emulator()` needs asyncio, and no event loop of asyncio runs here: on trio, use"
                " `with Emulator()`, which serves in a thread of its own."
            ) from None
        self._refuse_second_entry()
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            await self._stop()

    def __enter__(self) -> Self:
        self._refuse_second_entry()
        if library := green_threads():
            raise RuntimeError(
                f"{library} has put its own in the place of Python's threads, and `with Emulator()` serves in a real"
                " one: have it leave threads alone, by monkey.patch_all(thread=False) or"
                " eventlet.monkey_patch(thread=False), or run `python -m confidentai_admin.emulator` beside."
            )
        thread = _ServingThread(self._start, self._stop)
        thread.start_and_wait()
        self._thread = thread
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop_and_wait()

    def __repr__(self) -> str:
        return f"<Emulator at {self._url}>" if self._url else "<Emulator, not running>"

    def _refuse_second_entry(self) -> None:
        if self._url is not None or self._thread is not None:
            raise RuntimeError("The emulator is running already.")

    async def _start(self) -> None:
        server = EnvelopeServer(self._app.handle, not_http=self._app.status_of(NOT_HTTP))
        runner = web.ServerRunner(server, shutdown_timeout=_GRACE_SECONDS)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except BaseException:
            await runner.cleanup()
            raise
        self._runner = runner
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._url = f"http://{host}:{runner.addresses[0][1]}"

    async def _stop(self) -> None:
        runner, self._runner, self._url = self._runner, None, None
        if runner is None:
            return
        # What a fault holds is let go of at once, and so is what came, or lost its connection, in the meantime.
        await self._app.let_go()
        await runner.cleanup()
        await self._app.let_go()
        # Connections that were closed are told so, and tasks that were cancelled end, in the loop's next rounds.
        for _ in range(3):
            await anyio.lowlevel.checkpoint()


class _ServingThread:
    """A thread with an event loop that serves one emulator until it is told to stop."""

    def __init__(self, start: Callable[[], Awaitable[None]], close: Callable[[], Awaitable[None]]) -> None:
        self._start = start
        self._close = close
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        # A daemon, so that a program that never leaves its `with` block can still end.
        self._thread = threading.Thread(target=self._run, name="confidentai-admin-emulator", daemon=True)

    def start_and_wait(self) -> None:
        self._thread.start()
        try:
            self._ready.wait()
        except BaseException:
            self.stop_and_wait()
            raise
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop_and_wait(self) -> None:
        self._ready.wait()
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits for this one
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        await self._start()
        try:
            self._ready.set()
            await self._stop.wait()
        finally:
            await self._close()


def _loopback(host: str) -> str:
    if host == "localhost":
        # It may mean two addresses; one is served, and it is the one that the URL names.
        return "127.0.0.1"
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError("host must be a loopback address, such as 127.0.0.1: the emulator is for this machine only.")
    return host


def _check_api_key(api_key: str | None) -> None:
    if api_key is None:
        return
    if not api_key or not all("!" <= character <= "~" for character in api_key):
        raise ValueError("api_key must consist of printable ASCII characters without spaces.")
    if len(api_key) < _MIN_KEY_LENGTH:
        raise ValueError(f"api_key must have at least {_MIN_KEY_LENGTH} characters, or masking would show too much.")
    if "_proj_" in api_key:
        raise ValueError("api_key must be an organization's key, and this one is named like a project's.")


def _checked_versions(versions: Sequence[str]) -> tuple[str, ...]:
    known = tuple(version for version in VERSIONS if version in versions)
    if isinstance(versions, str) or not known or len(known) != len(versions):
        raise ValueError(f"api_versions must be one or more of {', '.join(VERSIONS)}, each once, in a tuple.")
    return known


def _check_statuses(statuses: Mapping[str, int]) -> None:
    assumed = [rule.name for rule in RULES if rule.standing == "assumed"]
    for name, status in statuses.items():
        if name not in assumed:
            raise ValueError(f"statuses can be given for {', '.join(assumed)}, and not for {name!r}.")
        if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 599:
            raise ValueError(f"The status for {name} must be an int from 400 to 599.")


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _part(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    part: dict[str, Any] = data[name]
    return part
