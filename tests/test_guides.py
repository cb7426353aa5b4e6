"""The guides in docs/jobs.md do what they say."""

from __future__ import annotations

import asyncio
import datetime
import importlib.util
import json
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import uvicorn

from confidentai_admin import ApiKey, ConfidentAI
from confidentai_admin.emulator import Emulator, faults

from .jobs.key_watch import keys_in
from .subprocess_program import Finished, Program

TEXT = (Path(__file__).parent.parent / "docs" / "jobs.md").read_text(encoding="utf-8")
PROGRAMS = {
    re.match(r"# (\w+\.py)", text).group(1): text  # type: ignore[union-attr]
    for text in re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the programs of the guides, which is where they run."""
    monkeypatch.chdir(tmp_path)
    for name, text in PROGRAMS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def _run(name: str, *arguments: str, text: str = "") -> Finished:
    source = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    return Program(source, name, *arguments).finish(text)


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def _served(app: Any) -> Iterator[str]:
    """Serve an application on loopback, in a thread; gives its URL."""
    started = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            started.set()

    server = Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(timeout=20)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
    assert not thread.is_alive()


def _post(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_every_program_has_a_test() -> None:
    """The guides have these programs and no others."""
    assert PROGRAMS.keys() == {
        "service.py",
        "joiners.py",
        "rotate_one.py",
        "nightly.py",
        "leaver.py",
        "deadline.py",
    }


def test_the_service_provisions_on_sign_up(
    folder: Path, confident_emulator: Emulator, confident_client: ConfidentAI
) -> None:
    """The FastAPI service, run for real, gives each tenant one project, and its vault has the tenant's key."""
    service = _load(folder / "service.py")
    with _served(service.app) as url:
        confident_emulator.faults.add("createProject", faults.Drop(after_work=True), nth=2)
        answers = [_post(f"{url}/tenants/{tenant}") for tenant in ("acme", "globex", "acme")]
        assert [status for status, _ in answers] == [200] * 3
        assert answers[0] == answers[2]
        # One that fails in the middle is told to try again, and does not lose what was made.
        confident_emulator.faults.add("createProject", faults.Answer(500, after_work=True))
        confident_emulator.faults.add("listProjectApiKeys", faults.Answer(500), times=3)
        assert _post(f"{url}/tenants/initech") == (503, {"detail": "Please try again."})
        assert "initech" not in service.vault
        assert _post(f"{url}/tenants/initech")[0] == 200
        # One whose key was lost by a crash gets another, and the lost one is not valid any more.
        lost = service.vault.pop("acme")
        assert _post(f"{url}/tenants/acme") == answers[0]
        assert service.vault["acme"] != lost
        # What will never do is told as such.
        assert _post(f"{url}/tenants/%20")[0] == 422
        assert _post(f"{url}/tenants/ACME")[0] == 409
    projects = {project.name: project.id for project in confident_client.projects.list()}
    assert projects.keys() == service.vault.keys() == {"acme", "globex", "initech"}
    for tenant, value in service.vault.items():
        keys = confident_client.project(projects[tenant]).api_keys.list()
        valid = [key for key in keys if key.valid and key.name is not None and key.name.startswith("Default Key")]
        assert any(value.endswith(key.value[-6:]) for key in valid)
        assert len(valid) == (2 if tenant == "globex" else 1)  # whose first key was in an answer that was lost


def test_the_joiners_are_invited(folder: Path, confident_emulator: Emulator, confident_client: ConfidentAI) -> None:
    """The script invites who is new, tells of each line, and fails if an address is none."""
    joiners = "name,email\nAda,ada@example.com\nAlan,alan@example.com\n"
    first = _run("joiners.py", text=joiners)
    assert (first.status, first.errors) == (0, "")
    assert first.output.splitlines() == ["ada@example.com: invited ", "alan@example.com: invited "]
    again = _run("joiners.py", text=f"{joiners}Typo,grace.example.com\n")
    assert (again.status, again.errors) == (1, "")
    assert [line.partition(" (")[0].strip() for line in again.output.splitlines()] == [
        "ada@example.com: nothing",
        "alan@example.com: nothing",
        "grace.example.com: failed",
    ]
    invited = confident_client.organization().invitations.list()
    assert sorted(invitation.email for invitation in invited) == ["ada@example.com", "alan@example.com"]


def test_a_joiner_with_another_role_is_no_success(
    folder: Path, confident_emulator: Emulator, confident_client: ConfidentAI
) -> None:
    """The script fails if somebody has another role and was left alone, and says so."""
    confident_emulator.add_member("ada@example.com", role="Admin")
    done = _run(folder, "joiners.py", text="name,email\nAda,ada@example.com\n")
    assert done.returncode == 1
    assert "ada@example.com: left_alone (this is a member with the role 'Admin'" in done.stdout


def test_a_key_is_rotated(folder: Path, confident_emulator: Emulator, confident_client: ConfidentAI) -> None:
    """The script leaves the new key valid and the old one not."""
    created = confident_client.projects.create("acme")
    assert created.api_key is not None
    done = _run("rotate_one.py", created.project.id, str(created.api_key.id))
    assert (done.status, done.errors) == (0, "")
    keys = confident_client.project(created.project.id).api_keys.list()
    assert [key.valid for key in keys] == [False, True]


def _let_a_day_pass(emulator: Emulator) -> None:
    """Have every key of a project be a day older: the program goes by the clock of this machine."""
    for project_id in emulator._app._world.projects:
        for key in keys_in(emulator, project_id).values():
            key.created_at -= datetime.timedelta(days=1)


def _valid_keys(client: ConfidentAI, project_id: str) -> list[ApiKey]:
    return [key for key in client.project(project_id).api_keys.list() if key.valid]


def test_the_keys_are_rotated_every_night(
    folder: Path, confident_emulator: Emulator, confident_client: ConfidentAI
) -> None:
    """Night after night the vault has one valid key of each project, and a project without the key is told."""
    for name in ("acme", "globex"):
        confident_client.projects.create(name)
    for _ in range(2):
        _let_a_day_pass(confident_emulator)
        done = _run("nightly.py")
        assert (done.status, done.errors) == (0, "")
        assert done.output.count("rotated") == len(done.output.splitlines()) == 2
        vault = json.loads((folder / "vault.json").read_text())
        for project in confident_client.projects.list():
            (key,) = _valid_keys(confident_client, project.id)
            assert vault[project.id]["id"] == key.id
            assert vault[project.id]["value"].endswith(key.value[-6:])
    bare = confident_client.projects.create("initech")
    assert bare.api_key is not None
    confident_client.project(bare.project.id).api_keys.delete(bare.api_key.id)
    done = _run("nightly.py")
    assert done.status == 1
    assert done.output.count("nothing") == 2
    (told,) = [line for line in done.errors.splitlines() if line.startswith(f"{bare.project.id}: ")]
    assert "Default Key" in told


def test_a_crash_in_the_night_leaves_no_second_key(
    folder: Path, confident_emulator: Emulator, confident_client: ConfidentAI
) -> None:
    """A key that never reached the vault is told the next night, and deleted when it is a day old."""
    project_id = confident_client.projects.create("acme").project.id
    _let_a_day_pass(confident_emulator)
    left = confident_client.project(project_id).api_keys.create("Default Key-20260131-0a1b2c")
    done = _run("nightly.py")
    assert f"API key {left.id}, which was never used" in done.errors
    assert len(_valid_keys(confident_client, project_id)) == 2
    _let_a_day_pass(confident_emulator)
    done = _run("nightly.py")
    assert f"API key {left.id} was deleted" in done.errors
    (key,) = _valid_keys(confident_client, project_id)
    assert json.loads((folder / "vault.json").read_text())[project_id]["id"] == key.id


async def test_what_was_done_by_the_deadline_is_kept(
    folder: Path, confident_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its time is over, the program has each key that was made by then."""
    deadline = _load(folder / "deadline.py")
    hang = confident_emulator.faults.add("createProjectApiKey", faults.Hang(), times=None)
    limit = asyncio.timeout(None)
    names = SimpleNamespace(timeout=lambda seconds: limit, CancelledError=asyncio.CancelledError)
    monkeypatch.setattr(deadline, "asyncio", names)
    job = asyncio.create_task(deadline.main(60, ["acme", "globex"]))
    while hang.used < 2 and not job.done():  # noqa: ASYNC110  (it is another thread that uses it)
        await asyncio.sleep(0.001)
    limit.reschedule(asyncio.get_running_loop().time())
    with pytest.raises(TimeoutError):
        await job
    made = {
        key_id: key.value
        for project_id in confident_emulator._app._world.projects
        for key_id, key in keys_in(confident_emulator, project_id).items()
    }
    assert len(made) == 2
    assert deadline.vault == made


def test_a_vault_is_whole_whatever_ends_the_program(
    folder: Path, confident_emulator: Emulator, confident_client: ConfidentAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night that ends while the vault is written leaves it as it was."""
    confident_client.projects.create("acme")
    nightly = _load(folder / "nightly.py")
    monkeypatch.setattr(nightly, "VAULT", folder / "vault.json")
    assert nightly.main() == 0
    before = (folder / "vault.json").read_text()

    def end(handle: int) -> None:
        raise SystemExit

    monkeypatch.setattr(nightly.os, "fsync", end)
    with pytest.raises(SystemExit):
        nightly.main()
    assert (folder / "vault.json").read_text() == before


def test_somebody_leaves(folder: Path, confident_emulator: Emulator, confident_client: ConfidentAI) -> None:
    """The script tells what it will do, hands over what is owned, and leaves nothing."""
    _, admin, member, *_ = confident_client.organization().members.list()
    project = confident_client.projects.create("acme", email=member.email).project
    confident_emulator.add_member(admin.email, project_id=project.id)
    done = _run("leaver.py", member.email, admin.email)
    assert (done.status, done.errors) == (0, "")
    assert done.output.count("planned") == len(done.output.splitlines()) >= 3
    assert confident_client.organization().members.find(member.email) is None
    heir = confident_client.project(project.id).members.find(admin.email)
    assert heir is not None
    assert heir.project_role is not None
    assert heir.project_role.name == "Owner"
