"""The project's chores: ``nox --list`` names them."""

from __future__ import annotations

import functools
import os
import secrets
import shutil
import subprocess
import sys
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

PYPROJECT = nox.project.load_toml("pyproject.toml")

#: All that are supported; the oldest is that of pyproject.toml.
PYTHONS = ["3.11", "3.12", "3.13", "3.14", "3.15"]

# The lower bounds of pyproject.toml.
LOWEST = ["aiohttp==3.13.5", "anyio==4.5.0", "attrs==23.2.0", "cattrs==24.1.0"]

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["tests", "lint", "types", "generate"]
nox.options.error_on_missing_interpreters = False  # the summary says which versions ran

if shutil.which("pyenv"):
    # pyenv's shims run only the versions that are switched on: switch on all that it has, the present one first.
    said = [
        subprocess.run(["pyenv", *words], capture_output=True, text=True, check=False).stdout.replace(":", " ").split()
        for words in (["version-name"], ["versions", "--bare"])
    ]
    os.environ["PYENV_VERSION"] = ":".join(dict.fromkeys([*said[0], *said[1]]))


def is_here(version: str) -> bool:
    """Whether this Python can be run here."""
    command = [f"python{version}", "--version"]
    return shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True).returncode == 0


def install(session: nox.Session, group: str, *others: str) -> None:
    """Install the project as it is here, a dependency group, and what else is named.

    Nothing is compiled before it is imported: most of what the libraries have never is.
    """
    session.install("--no-compile", "--editable", ".", *nox.project.dependency_groups(PYPROJECT, group), *others)


#: Where the surroundings forbid it, as containers do, Python would compile the package anew in each of the programs.
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}


def workers(session: nox.Session) -> list[str]:
    """What has pytest use all cores, but for some tests only. One worker more than cores: tests also wait."""
    if session.posargs:
        return []
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ["--numprocesses", str(cores + 1), "--dist", "worksteal"]


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on the present Python. With ``-- tests/client``, some of them."""
    install(session, "test")
    session.run("pytest", *workers(session), *session.posargs, env=COMPILED)


@nox.session(python=PYTHONS)
def matrix(session: nox.Session) -> None:
    """Run the tests on every supported Python that is here. Those that are not are skipped, and named at the end."""
    install(session, "test")
    session.run("pytest", *workers(session), *session.posargs, env=COMPILED)


@nox.session(python=next(filter(is_here, PYTHONS), None))
def lowest(session: nox.Session) -> None:
    """Run the tests with the oldest dependencies, on the oldest Python that is here."""
    install(session, "test", *LOWEST)
    session.run("pytest", *workers(session), *session.posargs, env=COMPILED)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which branches the tests go through."""
    install(session, "test")
    environment = {**COMPILED, "COVERAGE_FILE": f"{session.create_tmp()}/coverage"}
    session.run("coverage", "erase", env=environment)
    session.run("coverage", "run", "-m", "pytest", *workers(session), *session.posargs, env=environment)
    session.run("coverage", "combine", "--quiet", env=environment)
    if not session.posargs:
        session.run("coverage", "report", env=environment)


@nox.session
def deep(session: nox.Session) -> None:
    """Run what is long and worth it: faults at every step on the blocking face, many more examples, and the soak."""
    install(session, "test")
    # Other servers and other threads, where they can be had: the tests that want one are skipped without it.
    session.install(*nox.project.dependency_groups(PYPROJECT, "deep"), success_codes=[0, 1], silent=True)
    chosen = ["-m", "deep or hypothesis", "--hypothesis-profile", "deep"]
    session.run("pytest", *chosen, *workers(session), *session.posargs, env=COMPILED)
    if not session.posargs:
        session.notify("soak")


@nox.session
def soak(session: nox.Session) -> None:
    """Play 2,000 random sequences of calls and 400 random schedules of jobs, other ones every time.

    With ``-- --hypothesis-seed=N``, those of an earlier run, which printed that option as it began. A sequence that
    fails names its own seed: ``MODEL_SEED=<seed> pytest tests/model/test_sequences.py`` plays only that one; so does
    a schedule, with ``tests/model/test_job_schedules.py``.
    """
    install(session, "test")
    options = [*session.posargs]
    if not any(option.startswith("--hypothesis-seed") for option in options):
        options.append(f"--hypothesis-seed={secrets.randbelow(2**32)}")
    session.log(f"the sequences and schedules of {' '.join(options)}")
    # A test is half of all sequences here, which takes minutes; what hangs in one of them fails within seconds anyway.
    limit = ["-o", "faulthandler_timeout=3600", "-m", "deep or not deep"]
    files = ["tests/model/test_sequences.py", "tests/model/test_job_schedules.py"]
    session.run("pytest", *files, *limit, *options, env={"MODEL_SEQUENCES": "2000"})


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package, of the tests, and of samples of users' code."""
    install(session, "types")
    # At the same time, since each uses one core. What one of them says is shown when it is done, if it found anything.
    with ThreadPoolExecutor() as checkers:
        list(checkers.map(functools.partial(session.run, silent=True), ["mypy", "pyright"]))


@nox.session
def generate(session: nox.Session) -> None:
    """Write the blocking facade from the core; with ``-- --check``, only see that it is current."""
    install(session, "lint")
    session.run("python", "-m", "confidentai_admin._codegen", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Run the demo."""
    session.install(".")
    session.run("python", "-m", "confidentai_admin.demo")


@nox.session
def package(session: nox.Session) -> None:
    """Build what is released, look into it, and run the demo from it in an empty environment."""
    session.install("build>=1.2")
    place = Path(session.create_tmp())
    shutil.rmtree(place / "dist", ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(place / "dist"))  # the wheel is built from the sdist
    (wheel,) = (place / "dist").glob("*.whl")
    (sdist,) = (place / "dist").glob("*.tar.gz")
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.splitlines()

    names = set(zipfile.ZipFile(wheel).namelist())
    info = {name for name in names if ".dist-info/" in name}
    package = {name for name in tracked if name.startswith("confidentai_admin")}
    expected = {name for name in package if not name.startswith("confidentai_admin/_codegen/")}
    if names - info != expected:
        session.error(f"the wheel differs from what it should hold: {sorted((names - info) ^ expected)}")
    if missing := {"confidentai_admin/py.typed", "confidentai_admin/emulator/SUPPORTED.md"} - names:
        session.error(f"the wheel lacks {missing}")
    if {Path(name).name for name in info} != {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "LICENSE"}:
        session.error(f"the wheel's own files are {sorted(info)}")
    with tarfile.open(sdist) as archive:
        members = {name.partition("/")[2] for name in archive.getnames()}
    if missing := {name for name in tracked if not name.startswith((".ci", ".github"))} - members:
        session.error(f"the sdist lacks {sorted(missing)}")

    empty = (place / "empty").resolve()
    session.run("python", "-m", "venv", "--clear", str(empty))
    python = empty / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    session.run(str(python), "-m", "pip", "install", "--quiet", str(wheel.resolve()), external=True)
    with session.chdir(place):  # and not from the clone
        session.run(str(python), "-W", "error", "-m", "confidentai_admin.demo", external=True, silent=True)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure this client beside the raw libraries and other clients, and print it as Markdown.

    ``-- --help`` names the options.
    """
    install(session, "benchmarks")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def vendor(session: nox.Session) -> None:
    """Drive the emulator with the vendor's own client, in an environment of its own."""
    install(session, "vendor")
    session.run("pytest", "-p", "no:cacheprovider", "tests/vendor", *session.posargs)
