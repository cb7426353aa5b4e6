"""The demo: what it tells, what it keeps to itself, and that it notices what did not happen."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import attrs
import pytest

from confidentai_admin import ConflictError, demo
from confidentai_admin._async.api_keys import AsyncOrganizationApiKeys, AsyncProjectApiKeys
from confidentai_admin._async.governance import AsyncGovernancePolicies
from confidentai_admin._async.invitations import AsyncOrganizationInvitations, AsyncProjectInvitations
from confidentai_admin._async.members import AsyncOrganizationMembers, AsyncProjectMembers
from confidentai_admin._async.policies import AsyncOrganizationPolicies, AsyncProjectPolicies
from confidentai_admin._async.projects import AsyncProjects
from confidentai_admin._async.roles import AsyncOrganizationRoles, AsyncProjectRoles
from confidentai_admin.emulator import Emulator
from confidentai_admin.emulator._rules.ids import Ids
from confidentai_admin.models import GovernancePolicyAssignmentResult, NamedRef

from .subprocess_program import without_slow_steps

CHAPTERS = (
    "Projects",
    "Policy and role",
    "Invitations",
    "Change of role",
    "Governance",
    "Key rotation",
    "Members",
    "Refusal",
)
SHOWN = 6  # characters of a key that may be seen
KEYS_CREATED = 10

AsyncMethod = Callable[..., Awaitable[Any]]


@pytest.fixture
def key_values(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The full value of every key that an emulator makes from now on."""
    values: set[str] = set()
    key_value = Ids.key_value

    def recorded(ids: Ids, scope: str) -> str:
        value = key_value(ids, scope)
        values.add(value)
        return value

    monkeypatch.setattr(Ids, "key_value", recorded)
    return values


def told() -> tuple[int, str]:
    """Run the demo here; its exit status, and what it says."""
    out = io.StringIO()
    status = demo.tell(out)
    return status, out.getvalue()


def leaked(text: str, key_values: Iterable[str]) -> set[str]:
    """All pieces of keys in the text that are longer than what may be seen."""
    found = set()
    for value in key_values:
        secret = value.rpartition("_")[2]
        pieces = {secret[start : start + SHOWN + 1] for start in range(len(secret) - SHOWN)}
        found |= {piece for piece in pieces if piece in text}
    return found


def in_a_subprocess() -> subprocess.CompletedProcess[str]:
    """Run the demo as its readers do, with all warnings as errors."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONFIDENT_")}
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "confidentai_admin.demo"],
        env={**environment, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


# What it tells --------------------------------------------------------------------------------------------------------


def test_it_runs_as_a_program_and_shows_no_secret(key_values: set[str]) -> None:
    """It exits with 0 and an empty stderr, its lines fit a terminal, and no more of a key than its tail is shown."""
    ran = in_a_subprocess()
    assert (ran.returncode, without_slow_steps(ran.stderr)) == (0, "")
    assert max(map(len, ran.stdout.splitlines())) <= 100
    assert ran.stdout.isascii()

    # The emulator's keys are the same each time, so that those of a run in here are those of the program.
    told()
    assert len(key_values) == 1 + KEYS_CREATED
    assert leaked(ran.stdout, key_values) == set()
    assert all(f"***{value[-SHOWN:]}" in ran.stdout for value in key_values)


def test_it_goes_through_every_chapter_with_both_clients() -> None:
    """All chapters are told, in their order, in the morning and for each of the tenants."""
    status, text = told()
    assert status == 0
    morning, afternoon = text.split("\nAfternoon: ")
    assert [line for line in morning.splitlines() if line in CHAPTERS] == list(CHAPTERS)
    for tenant in demo.TENANTS:
        lines = [line.split("|")[0].removeprefix(tenant) for line in afternoon.splitlines() if line.startswith(tenant)]
        assert list(dict.fromkeys(line.strip() for line in lines)) == list(CHAPTERS)


def test_the_tenants_are_worked_on_at_the_same_time() -> None:
    """Each tenant's first line comes before any tenant's last one."""
    lines = told()[1].split("\nAfternoon: ")[1].splitlines()
    of_tenants = [[number for number, line in enumerate(lines) if line.startswith(name)] for name in demo.TENANTS]
    assert max(numbers[0] for numbers in of_tenants) < min(numbers[-1] for numbers in of_tenants)


def test_it_tells_of_the_partial_success_the_pages_and_the_error() -> None:
    """What newcomers should see is there: the id without a project, several pages, the error's attributes."""
    _, text = told()
    for expected in (
        f"No such project: {demo.UNKNOWN_PROJECT_ID}\n",
        "Page 3: 15 of 65\n",
        "ConflictError, with status = 409\n",
        "message = The organization already has a project named 'Product search'.\n",
        "operation = createProject\n",
        "outcome_unknown = False",
    ):
        assert expected in text


def test_it_ends_with_a_summary() -> None:
    """The summary counts what was made, and as many checks as were told in the morning and more."""
    _, text = told()
    story, summary = text.split("\nSummary\n=======\n")
    counts = {line.split(maxsplit=1)[1]: int(line.split()[0]) for line in summary.splitlines()[:-1]}
    checks = counts.pop("checks of what the server said afterwards: every effect was read back")
    assert counts == {
        "projects created": 5,
        "API keys created": KEYS_CREATED,
        "policies created": 4,
        "roles created": 4,
        "invitations created": 8,
    }
    in_the_afternoon = checks - story.count("[ok]")
    assert in_the_afternoon >= len(CHAPTERS) * len(demo.TENANTS)
    assert in_the_afternoon % len(demo.TENANTS) == 0


# How it ends ----------------------------------------------------------------------------------------------------------


def test_help_is_help_and_an_unknown_option_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither tells the story."""
    for arguments, status in ((["--help"], 0), (["--loud"], 2), (["twice"], 2)):
        with pytest.raises(SystemExit) as ended:
            demo.main(arguments)
        said = capsys.readouterr()
        assert ended.value.code == status
        assert "usage: python -m confidentai_admin.demo" in (said.err if status else said.out)
        assert "Morning" not in said.out


# Ctrl-C in the morning, also where the parent has had it ignored.
INTERRUPTED = """
import os, signal, time
from confidentai_admin import _command, demo

def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)

signal.signal(signal.SIGINT, signal.default_int_handler)
demo.create_projects = interrupt
_command.run(demo.PROGRAM, lambda: demo.main([]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_it_ends_like_any_program_in_a_pipe_or_without_an_output() -> None:
    """A reader that has gone is an end by SIGPIPE, Ctrl-C one by SIGINT; without an output one line says so."""
    python = [sys.executable, "-W", "error"]
    command = [*python, "-m", "confidentai_admin.demo"]
    reader, writer = os.pipe()
    os.close(reader)
    unread = subprocess.Popen(command, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    interrupted = subprocess.Popen([*python, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    closed = subprocess.Popen(["/bin/sh", "-c", '"$@" >&-', "sh", *command], stderr=subprocess.PIPE)
    ended = [each.communicate(timeout=60) for each in (unread, interrupted, closed)]
    assert (ended[0][1], unread.returncode) == (b"", -signal.SIGPIPE)
    assert (ended[1][1], interrupted.returncode) == (b"", -signal.SIGINT)
    assert ended[1][0].startswith(b"One administrator's day")
    assert ended[2][1].splitlines() == [
        b"python -m confidentai_admin.demo: error: Standard output is closed, and there is something to say."
    ]
    assert closed.returncode == 1


@pytest.mark.parametrize("lines", [3, 60])
def test_an_output_that_fails_is_told_as_that(lines: int) -> None:
    """Whether it fails in the morning or in the afternoon, in one of several tasks, it is the output's own error."""

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            if self.getvalue().count("\n") >= lines:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(text)

    with pytest.raises(OSError, match="No space left"):
        demo.tell(Full())


# What it keeps to itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("masked", [str, lambda key: key[-SHOWN - 1 :], lambda key: key[:28] + "..."])
def test_a_leak_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch, key_values: set[str], masked: Callable[[str], str]
) -> None:
    """With a mask that shows too much, in full, at the end or at the beginning, every single key is found."""
    monkeypatch.setattr(demo, "masked", masked)
    _, text = told()
    assert len(key_values) == 1 + KEYS_CREATED
    assert all(leaked(text, [value]) for value in key_values)


# What it notices ------------------------------------------------------------------------------------------------------


def does_nothing(_: AsyncMethod) -> AsyncMethod:
    """A method that answers and has no effect."""

    async def method(*_: object, **__: object) -> None:
        pass

    return method


def forgets_a_permission(original: AsyncMethod) -> AsyncMethod:
    """A policy that holds one permission less than was asked for."""

    async def method(*args: object, permission_ids: list[str], **kwargs: Any) -> object:
        return await original(*args, permission_ids=permission_ids[1:], **kwargs)

    return method


def takes_another_policy(original: AsyncMethod) -> AsyncMethod:
    """A role that holds a policy that was not asked for."""

    async def method(self: Any, name: str, *, policy_ids: list[str], **kwargs: Any) -> object:
        (first, *_) = await self.list()
        assert policy_ids != [first.policies[0].id]
        return await original(self, name, policy_ids=[first.policies[0].id], **kwargs)

    return method


def invites_all_but_one(original: AsyncMethod) -> AsyncMethod:
    """An invitation that the last address does not get."""

    async def method(self: object, emails: list[str], **kwargs: Any) -> object:
        return await original(self, [email for email in emails if email[:4] not in ("noel", "ivan")], **kwargs)

    return method


def only_claims_to_assign(_: AsyncMethod) -> AsyncMethod:
    """A governance policy that says yes to everything."""

    async def method(_: object, policy_id: str, *, project_ids: list[str]) -> GovernancePolicyAssignmentResult:
        return GovernancePolicyAssignmentResult(NamedRef(policy_id, "?"), project_ids, [], len(project_ids))

    return method


def refuses_nothing(original: AsyncMethod) -> AsyncMethod:
    """A server that takes a name twice, or at least says so."""

    async def method(*args: object, **kwargs: Any) -> object:
        try:
            return await original(*args, **kwargs)
        except ConflictError:
            return None

    return method


@attrs.frozen
class Sabotage:
    """A method of the client that does not do its work, and the chapter that must notice."""

    owner: type
    method: str
    replacing: Callable[[AsyncMethod], AsyncMethod]
    chapter: str


@pytest.mark.parametrize(
    "sabotage",
    [
        Sabotage(AsyncOrganizationPolicies, "create", forgets_a_permission, "Policy and role"),
        Sabotage(AsyncOrganizationRoles, "create", takes_another_policy, "Policy and role"),
        Sabotage(AsyncOrganizationInvitations, "create", invites_all_but_one, "Invitations"),
        Sabotage(AsyncOrganizationMembers, "update_role", does_nothing, "Change of role"),
        Sabotage(AsyncGovernancePolicies, "assign", only_claims_to_assign, "Governance"),
        Sabotage(AsyncOrganizationApiKeys, "update", does_nothing, "Key rotation"),
        Sabotage(AsyncOrganizationApiKeys, "delete", does_nothing, "Key rotation"),
        Sabotage(AsyncProjectPolicies, "create", forgets_a_permission, "Policy and role"),
        Sabotage(AsyncProjectRoles, "create", takes_another_policy, "Policy and role"),
        Sabotage(AsyncProjectInvitations, "create", invites_all_but_one, "Invitations"),
        Sabotage(AsyncProjectMembers, "update_role", does_nothing, "Change of role"),
        Sabotage(AsyncProjectApiKeys, "update", does_nothing, "Key rotation"),
        Sabotage(AsyncProjectApiKeys, "delete", does_nothing, "Key rotation"),
    ],
    ids=lambda sabotage: f"{sabotage.owner.__name__}.{sabotage.method}",
)
def test_an_effect_that_does_not_read_back_ends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sabotage: Sabotage
) -> None:
    """Whichever step has no effect: exit status 1, one line that says which step and what is missing, no summary."""
    method = getattr(sabotage.owner, sabotage.method)
    monkeypatch.setattr(sabotage.owner, sabotage.method, sabotage.replacing(method))
    status, text = told()
    assert status == 1
    assert "Summary" not in text
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("The demo has failed. NotReadBackError: (")
    assert f"{sabotage.chapter}) the server does not say that " in line
    is_of_a_tenant = any(f"({tenant}, " in line for tenant in demo.TENANTS)
    assert is_of_a_tenant == sabotage.owner.__name__.startswith("AsyncProject")


@pytest.mark.parametrize("owner", [AsyncProjects, AsyncProjectRoles])
def test_a_refusal_that_does_not_come_ends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], owner: type
) -> None:
    """A duplicate that is not refused is a failure as well."""
    monkeypatch.setattr(owner, "create", refuses_nothing(getattr(owner, "create")))  # noqa: B009  (`owner` is any type)
    assert told()[0] == 1
    assert "was not refused" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["accept_invitation", "add_member"])
def test_what_does_not_happen_in_the_product_ends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    """If nobody accepts or joins, the demo notices."""
    monkeypatch.setattr(Emulator, method, lambda *_, **__: {})
    assert told()[0] == 1
    assert "the server does not say that" in capsys.readouterr().err


def test_an_error_of_the_client_ends_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A call that fails where it should not: exit status 1 and the error's own words, and no traceback."""
    monkeypatch.setattr(AsyncProjectApiKeys, "get", refused_by_the_server)
    assert told()[0] == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == "The demo has failed. ConflictError: getProjectApiKey: somebody else is at it [409]"


async def refused_by_the_server(*_: object) -> None:
    """A call that fails."""
    raise ConflictError("somebody else is at it", status=409, operation="getProjectApiKey")


def test_what_is_not_listed_ends_it() -> None:
    """Somebody or something that the demo has made and does not find again is the error that says so."""
    with pytest.raises(demo.NotReadBackError, match="under the name 'Guide'"):
        demo.named([], "Guide")
    with pytest.raises(demo.NotReadBackError, match=r"under the address mia@acme\.example"):
        demo.with_email([], "mia@acme.example")
