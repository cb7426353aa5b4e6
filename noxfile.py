"""The project's chores: ``nox --list`` names them."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys

import nox

PYPROJECT = nox.project.load_toml("pyproject.toml")

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"

# The lower bounds of pyproject.toml.
LOWEST = ["aiohttp==3.13.5", "anyio==4.5.0", "attrs==23.2.0", "cattrs==24.1.0"]

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["tests", "lint", "types", "generate"]

if shutil.which("pyenv"):
    # pyenv's shims run only the versions that are switched on: switch on all that it has, the present one first.
    said = [
        subprocess.run(["pyenv", *words], capture_output=True, text=True, check=False).stdout.replace(":", " ").split()
        for words in (["version-name"], ["versions", "--bare"])
    ]
    os.environ["PYENV_VERSION"] = ":".join(dict.fromkeys([*said[0], *said[1]]))


def is_here(version: str) -> bool:
    """Whether this Python can be run here."""
    if version == RUNNING:
        return True
    command = [f"python{version}", "--version"]
    return shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True).returncode == 0


def install(session: nox.Session, group: str, *others: str) -> None:
    """Install the project as it is here, a dependency group, and what else is named."""
    session.install("--editable", ".", *nox.project.dependency_groups(PYPROJECT, group), *others)


PYTHONS = [version for version in ("3.10", "3.11", "3.12", "3.13") if is_here(version)] or [RUNNING]


@nox.session
@nox.parametrize(
    ("python", "versions"),
    [*((version, "newest") for version in PYTHONS), (PYTHONS[0], "lowest")],
    ids=[*PYTHONS, "lowest"],
)
def tests(session: nox.Session, versions: str) -> None:
    """Run the tests and measure what they cover: on every Python there is, and once with the oldest dependencies."""
    install(session, "test", *(LOWEST if versions == "lowest" else []))
    # The plugin of the oldest anyio warns under the newest pytest, and the tests do not use it.
    options = ["-p", "no:anyio"] if versions == "lowest" else []
    environment = {"COVERAGE_FILE": f"{session.create_tmp()}/coverage"}
    session.run("coverage", "erase", env=environment)
    # A file's tests stay together: some of them are about the file's whole run.
    workers = [] if session.posargs else ["--numprocesses", "auto", "--dist", "loadfile"]
    session.run("coverage", "run", "-m", "pytest", *options, *workers, *session.posargs, env=environment)
    session.run("coverage", "combine", "--quiet", env=environment)
    if not session.posargs:
        session.run("coverage", "report", env=environment)


@nox.session
def soak(session: nox.Session) -> None:
    """Play 2,000 random sequences, other ones every time.

    With ``-- --hypothesis-seed=N``, those of an earlier run, which printed that option as it began. A sequence that
    fails names its own seed: ``MODEL_SEED=<seed> pytest tests/model/test_sequences.py`` plays only that one.
    """
    install(session, "test")
    options = [*session.posargs]
    if not any(option.startswith("--hypothesis-seed") for option in options):
        options.append(f"--hypothesis-seed={secrets.randbelow(2**32)}")
    session.log(f"the sequences of {' '.join(options)}")
    # A test is half of all sequences here, which takes minutes; what hangs in one of them fails within seconds anyway.
    limit = ["-o", "faulthandler_timeout=3600"]
    session.run("pytest", "tests/model/test_sequences.py", *limit, *options, env={"MODEL_SEQUENCES": "2000"})


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
    session.run("mypy")
    session.run("pyright")


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
