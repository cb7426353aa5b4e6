"""The client."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import attrs

from .. import _surroundings
from .._api.calls import NOT_GIVEN, ORGANIZATION, Call, Effect, Route, Scope
from .._api.versions import VERSIONS
from .._arguments import address, address_key, positive_number, request_path, truth, whole_number
from .._fork import no_fork
from .._http.pacing import Pacing
from .._http.session_types import SessionFactory, TraceConfig
from .._http.transport import Transport
from .._instances import child, twin
from .._jobs.offboarding import offboard
from .._secrets import SecretText
from .._settings import Settings, Timeout
from .._surroundings import Clock
from ..errors import ConfigurationError
from ..models import Holding, Organization, Report
from .organization import AsyncOrganizationClient
from .projects import AsyncProjectClient, AsyncProjects

_EFFECTS = {
    "GET": Effect.READ,
    "PUT": Effect.REPEATABLE,
    "DELETE": Effect.REPEATABLE,
    "POST": Effect.ONCE,
    "PATCH": Effect.ONCE,
}


class AsyncConfidentAI:
    """A Confident AI organization, administered from asynchronous code.

    Use it as ``async with AsyncConfidentAI() as client:`` or call ``close()`` when you are done. It connects at the
    first call, keeps its connections, and is meant to be shared by all of a program's tasks.
    It belongs to one event loop at a time.

    Every call can raise ``AuthenticationError``, ``PermissionDeniedError``, ``RateLimitError``,
    ``InternalServerError``, ``APIConnectionError``, ``APITimeoutError`` and ``APIResponseValidationError``, all of
    which are ``ConfidentAIError``; the methods name what else they raise.

    Example::

        async with AsyncConfidentAI() as client:
            created = await client.projects.create("checkout")

    Args:
        api_key: An organization API key. Default: the environment variable ``CONFIDENT_ORG_API_KEY``.
        base_url: Another server than that of a region: self-hosted, private, or an emulator. Default: the environment
            variable ``CONFIDENT_BASE_URL``.
        region: ``US``, ``EU`` or ``AU``. Default: the environment variable ``CONFIDENT_REGION``, else what the key's
            prefix says, else ``US``.
        api_version: The version of the API that the server has: ``v1`` or ``v2``. Default: the environment variable
            ``CONFIDENT_API_VERSION``, else ``v1``. A call that the version lacks is a ``ConfigurationError`` before any
            request.
        timeout: How long a call may take: seconds in total, or a ``Timeout``.
        max_retries: How often a call is repeated at most, 0 or more. Only what cannot do harm is repeated: see the
            README.
        max_connections: How many requests are under way at most, 1 or more, each on a connection of its own. Further
            calls wait for their turn, in the order in which they came.
        max_response_bytes: How long an answer may be, in bytes, 1 or more. A longer one is an ``APIConnectionError``.
        requests_per_second: How many requests are begun in a second at most, by the client with all its views: they
            are evenly spaced from the first one on. Default: no limit, until the server answers one with 429. Where
            several processes use one key, each needs its part of what the server allows.
        stall_timeout: For how many seconds a job (such as ``projects.ensure_many``) goes on while the server answers
            nothing but 429, before it ends with a ``RateLimitError``.
        proxy: The URL of an HTTP proxy, with user and password if it wants them. To a plain http server, it must be on
            this machine as well.
        ssl_context: Whom to trust, where the system's certificates do not say: ``ssl.create_default_context(cafile=…)``
            for a private CA.
        trust_env: Take a proxy from ``HTTPS_PROXY``, not ``ALL_PROXY``, and its password from ``.netrc``; not for plain
            http. The server is sent none from there. Tracebacks that show local variables may show a password from
            ``.netrc``, and do not show one in ``proxy``.
        trace_configs: aiohttp's hooks for tracing, as OpenTelemetry's instrumentation has them.
        session_factory: Makes the whole aiohttp session, instead of the four before it. Called in the event loop.
        allow_insecure_http: Send the key over plain http to another machine.
        read_only: Refuse every call that could change something with a ``ConfigurationError``, before any request.
        clock: What tells the time and waits between attempts, for tests: an emulator's ``clock`` does not really wait.

    Raises:
        ConfigurationError: There is no key, or a key, URL, region, version or combination that cannot be used.
        TypeError: An argument is of another type.
        ValueError: A number is out of its range.
    """

    projects: AsyncProjects = child(AsyncProjects)

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        region: str | None = None,
        api_version: str | None = None,
        timeout: float | Timeout = Timeout(connect=10, read=30, total=60),
        max_retries: int = 2,
        max_connections: int = 20,
        max_response_bytes: int = 64 * 1024 * 1024,
        requests_per_second: float | None = None,
        stall_timeout: float = 600,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        trust_env: bool = False,
        trace_configs: Sequence[TraceConfig] | None = None,
        session_factory: SessionFactory | None = None,
        allow_insecure_http: bool = False,
        read_only: bool = False,
        clock: Clock | None = None,
    ) -> None:
        api_key = SecretText.hide(api_key)
        base_url = SecretText.hide(base_url)
        proxy = SecretText.hide(proxy)
        settings = Settings.resolve(
            api_key,
            base_url=base_url,
            region=region,
            api_version=api_version,
            allow_insecure_http=allow_insecure_http,
        )
        with no_fork():
            # Only a client needs aiohttp, which takes longer to load than all the rest.
            from .._http.exchange import exchange
            from .._http.pool import ConnectionOptions, ConnectionPool

        options = ConnectionOptions(
            whole_number("max_connections", max_connections, minimum=1),
            proxy=proxy,
            ssl_context=ssl_context,
            trust_env=trust_env,
            trace_configs=trace_configs,
            session_factory=session_factory,
            is_local=settings.base_url.startswith("http:") and not allow_insecure_http,
        )
        transport = Transport(
            settings,
            VERSIONS[settings.api_version],
            ConnectionPool(options),
            exchange,
            Timeout.of(timeout),
            whole_number("max_retries", max_retries, minimum=0),
            whole_number("max_response_bytes", max_response_bytes, minimum=1),
            _surroundings.current().clock if clock is None else _surroundings.checked(clock),
            truth("read_only", read_only),
            positive_number("stall_timeout", stall_timeout, "seconds"),
            Pacing(
                None
                if requests_per_second is None
                else positive_number("requests_per_second", requests_per_second, "requests")
            ),
        )
        self._bind(transport, is_view=False)

    def _bind(self, transport: Transport, *, is_view: bool) -> None:
        self._transport = transport
        self._is_view = is_view
        self._organization = AsyncOrganizationClient(transport, ORGANIZATION)
        self.projects = AsyncProjects(transport, ORGANIZATION)

    def __repr__(self) -> str:
        # One whose constructor failed is shown in the traceback of that.
        return f"{type(self).__name__}(base_url={self.base_url!r})" if vars(self) else f"{type(self).__name__}(?)"

    async def __aenter__(self) -> Self:
        _surroundings.running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. Calls that are under way fail, and so does every later one.

        Closing twice is fine. Closing what ``with_options`` gave does nothing: the client that it came from does it.
        """
        if not self._is_view:
            await self._transport.close()

    @property
    def base_url(self) -> str:
        """Where the requests go, without a slash at the end."""
        return self._transport.settings.base_url

    def organization(self) -> AsyncOrganizationClient:
        """The organization of the API key, its members, roles, keys and so on. Makes no request."""
        return self._organization

    def project(self, project_id: str) -> AsyncProjectClient:
        """One project, its members, roles, keys and so on. Makes no request: the project need not exist.

        Args:
            project_id: The id of the project.

        Raises:
            TypeError: The id is not a string.
            ValueError: The id is empty, ``.`` or ``..``.
        """
        return AsyncProjectClient(self._transport, Scope.of_project(project_id))

    async def whoami(self) -> Organization:
        """Get the organization that the API key belongs to: a cheap way to see that the key works.

        Endpoint: ``GET /v1/organization``.

        Returns:
            The organization.

        Raises:
            AuthenticationError: The key is unknown, deactivated or deleted.
        """
        return await self._organization.get()

    async def offboard(
        self, email: str, *, transfer_projects_to: str | None = None, dry_run: bool = False, must_exist: bool = True
    ) -> Report[Holding, None]:
        """Take a person out of the organization: every invitation and membership, also in all projects.

        First, everything is read; if the person owns something that has nobody to go to, that is an error, and nothing
        was changed. Then the projects that the person owns are transferred; if one cannot be, nothing is removed. Then
        the invitations and the memberships are removed, and looked for again: what was not seen to be gone has failed.
        Listings may lag: what should be gone and is listed is looked for again, for 5 seconds, and then removed again.
        Whom the organization refuses to remove is taken out of no project, and who comes to own something meanwhile is
        taken out of nothing more. From the first change on, nothing but a cancellation is raised: what failed is in the
        report. Make the same call again, and it does what is left. What was in a project that somebody deletes
        meanwhile is gone with it, and the row says so.

        Who is invited again, or gets a project, while this runs may not be noticed: run it again to see.

        Endpoints: ``GET /v1/organization/members``, ``GET /v1/organization/invitations``, ``GET /v1/projects``,
        ``GET /v1/projects/{projectId}/members`` and ``GET /v1/projects/{projectId}/invitations``; to transfer,
        ``GET /v1/projects/{projectId}/roles`` and ``PUT /v1/projects/{projectId}/members/{userId}``; to remove,
        ``DELETE /v1/organization/invitations/{invitationId}``,
        ``DELETE /v1/projects/{projectId}/invitations/{invitationId}``, ``DELETE /v1/organization/members/{userId}``
        and ``DELETE /v1/projects/{projectId}/members/{userId}``.

        Args:
            email: The person's address. White space around it and case make no difference.
            transfer_projects_to: The address of the member who becomes the Owner of the projects that the person owns,
                and who is in them already. ``None`` if there are no such projects.
            dry_run: Only read, and say what would be done. A read-only client can do this.
            must_exist: Whether it is an error if nobody has this address. Pass ``False`` where the call may be made
                again after it has succeeded, since then nothing is left.

        Returns:
            What became of each thing that the person had: ``transferred``, ``revoked``, ``removed``, ``failed`` or
            ``not_tried``, or ``planned`` in a dry run. Empty if there is nothing, with ``must_exist=False``.
            ``raise_for_failures()`` makes an error of those that are left.

        Raises:
            UnexpectedStateError: Nobody of this address is a member or invited, or the person owns the organization, or
                projects that cannot be transferred as asked; the message says what to do. Nothing was changed.
            AmbiguousMatchError: Several members have the address. Nothing was changed.
            ConfigurationError: The client is read-only, and it is no dry run.
            ConfidentAIError: What the person has could not be read. Nothing was changed.
            TypeError: An argument is of another type.
            ValueError: An address is empty or none, or both are the same.
        """
        email = address("email", email)
        successor = None if transfer_projects_to is None else address("transfer_projects_to", transfer_projects_to)
        if successor is not None and address_key(successor) == address_key(email):
            raise ValueError("transfer_projects_to is the person who is to leave")
        truth("must_exist", must_exist)
        if not truth("dry_run", dry_run):
            self._transport.refuse_job("offboard")
        return await offboard(self._transport, email, successor, dry_run=dry_run, must_exist=must_exist)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        repeatable: bool | None = None,
    ) -> Any:
        """Call an operation that this SDK does not know yet, with the same care as one that it knows.

        It does not know what the operation means: the key that the client itself uses is not guarded here.

        Args:
            method: ``GET``, ``PUT``, ``DELETE``, ``POST`` or ``PATCH``.
            path: The path after the base URL, such as ``/v1/projects``. Percent-encode the ids in it.
            params: The query. Values are strings, numbers, booleans or lists of these; ``None`` is left out.
            json: The body. ``None`` sends no body.
            repeatable: Whether doing it twice is the same as doing it once, so that it may be sent again after a lost
                answer. Default: ``True`` for ``GET``, ``PUT`` and ``DELETE``.

        Returns:
            The ``data`` of the answer, as JSON has it.

        Raises:
            APIStatusError: The server refused or failed.
            TypeError: An argument is of another type, or JSON has no form for the body.
            ValueError: The method is another one, or the path does not begin with a slash, has a query, a fragment or
                a dot segment.
        """
        if not isinstance(method, str):
            raise TypeError(f"method must be a string, not {type(method).__name__}")
        method = method.upper()
        if method not in _EFFECTS:
            raise ValueError(f"method must be one of {', '.join(_EFFECTS)}")
        effect = _EFFECTS[method]
        if repeatable is not None and effect is not Effect.READ:
            effect = Effect.REPEATABLE if repeatable else Effect.ONCE
        path = request_path(path)
        call: Call[Any] = Call(
            f"{method} {path}",
            effect,
            object,
            query={} if params is None else params,
            fields=NOT_GIVEN if json is None else json,
            if_gone=None if method == "DELETE" else NOT_GIVEN,
            route=Route(method, path),
        )
        return await self._transport.send(call)

    def with_options(
        self,
        *,
        timeout: float | Timeout | None = None,
        max_retries: int | None = None,
        read_only: bool | None = None,
        stall_timeout: float | None = None,
    ) -> Self:
        """A view of this client with other limits, on the same connections. It costs nothing, and needs no closing.

        What a class of your own added to the client, the view has as well: the same objects, under the same names. So
        what a ``functools.cached_property`` has computed before is that of the client, also if it holds ``self`` or a
        part of it, such as ``projects``: then calls through it have the client's limits, and are not read-only. Make it
        a ``property``.

        Args:
            timeout: Seconds in total, or a ``Timeout``. Default: as it is.
            max_retries: How often a call is repeated at most, 0 or more. Default: as it is.
            read_only: ``True`` for a view that refuses every call that could change something. What is read-only stays
                so in all of its views. Default: as it is.
            stall_timeout: For how many seconds a job goes on while the server answers nothing but 429. Default: as it
                is.

        Raises:
            ConfigurationError: ``read_only=False`` for what is read-only.
            TypeError: An argument is of another type.
            ValueError: A number is out of its range.
        """
        transport = self._transport
        if timeout is not None:
            transport = attrs.evolve(transport, timeout=Timeout.of(timeout))
        if stall_timeout is not None:
            stall_timeout = positive_number("stall_timeout", stall_timeout, "seconds")
            transport = attrs.evolve(transport, stall_timeout=stall_timeout)
        if max_retries is not None:
            transport = attrs.evolve(transport, max_retries=whole_number("max_retries", max_retries, minimum=0))
        if read_only is not None:
            wanted = truth("read_only", read_only)
            if transport.read_only and not wanted:
                raise ConfigurationError("This client is read-only, and so are its views: make another client.")
            transport = attrs.evolve(transport, read_only=wanted)
        view = twin(self)
        view._bind(transport, is_view=True)
        return view
