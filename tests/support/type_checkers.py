"""Type checkers as a user runs them: the errors of files that are written into a folder, by file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

Checker = Callable[[Path, dict[str, str]], dict[str, list[str]]]


def mypy_errors(folder: Path, files: dict[str, str]) -> dict[str, list[str]]:
    # What it learns of the package and of the standard library is of use to the next test.
    cache = folder.parent / "mypy-cache"
    for name, code in files.items():
        (folder / name).write_text(code)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file=",
            "--no-error-summary",
            "--cache-dir",
            str(cache),
        ]
        + [str(folder / name) for name in files],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    return {name: [line for line in lines if f"/{name}:" in line and "error:" in line] for name in files}


def pyright_errors(folder: Path, files: dict[str, str]) -> dict[str, list[str]]:
    for name, code in files.items():
        (folder / name).write_text(code)
    (folder / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "standard"}))
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [d for d in json.loads(done.stdout)["generalDiagnostics"] if d["severity"] == "error"]
    return {name: [d["message"] for d in found if d["file"].endswith(f"/{name}")] for name in files}
