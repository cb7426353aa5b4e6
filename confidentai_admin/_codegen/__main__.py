"""``python -m confidentai_admin._codegen [--check]``."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from .facade import write_facade
from .source import RefusedError, read_core

PACKAGE = Path(__file__).parent.parent
_CONFIGURATION = str(PACKAGE.parent / "pyproject.toml")


def generate(core: Path) -> dict[str, str]:
    """The files of the facade of ``core``, by name.

    Raises:
        RefusedError: There is something in the core that has no rule.
    """
    return _formatted(write_facade(read_core(core)))


def differences(files: dict[str, str], folder: Path) -> dict[str, str]:
    """What is not as it should be in ``folder``: for each file, what is wrong with it."""
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    present = {name for name in present if "__pycache__" not in name}
    wrong = dict.fromkeys(files.keys() - present, "is missing")
    wrong |= dict.fromkeys(present - files.keys(), "should not be there")
    for name in files.keys() & present:
        if (folder / name).read_bytes() != files[name].encode("utf-8"):
            wrong[name] = "is stale"
    return dict(sorted(wrong.items()))


def _formatted(files: dict[str, str]) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as name:
        paths = {file: Path(name, file) for file in files}
        for file, text in files.items():
            paths[file].write_bytes(text.encode("utf-8"))
        for arguments in (["check", "--select", "I", "--fix-only"], ["format"]):
            # The files by name: below a folder that ruff leaves alone, as .nox is, it would find none.
            done = subprocess.run(  # noqa: S603  (its own interpreter, and no word from outside)
                [
                    sys.executable,
                    "-m",
                    "ruff",
                    *arguments,
                    "--no-cache",
                    "--config",
                    _CONFIGURATION,
                    *map(str, paths.values()),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                raise RuntimeError(f"ruff cannot format the facade: {done.stderr.strip()}")
        return {file: path.read_bytes().decode("utf-8") for file, path in paths.items()}


def main(arguments: list[str] | None = None) -> int:
    """Write the facade, or check that it is current. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m confidentai_admin._codegen", description="Write the blocking facade from the core."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is stale, extra or missing")
    parser.add_argument("--core", type=Path, default=PACKAGE / "_async", help=argparse.SUPPRESS)
    parser.add_argument("--facade", type=Path, default=PACKAGE / "_sync", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        files = generate(options.core)
    except (RefusedError, ValueError, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    wrong = differences(files, options.facade)
    if options.check:
        for name, what in wrong.items():
            sys.stderr.write(f"{options.facade.name}/{name} {what}\n")
        if wrong:
            sys.stderr.write("Run python -m confidentai_admin._codegen and commit what it writes.\n")
        return 1 if wrong else 0
    options.facade.mkdir(exist_ok=True)
    for name in wrong:
        if name in files:
            (options.facade / name).write_bytes(files[name].encode("utf-8"))
        else:
            (options.facade / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
