"""`invokeai-client` as a program of its own, on the real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from invokeai_py_client.local import LocalServer

PROGRAM = [sys.executable, "-m", "invokeai_py_client.cli"]

AGENTS = ("AI_AGENT", "CLAUDECODE", "CLAUDE_CODE", "CODEX_SANDBOX", "CURSOR_AGENT", "GEMINI_CLI")


@dataclass(frozen=True)
class Ended:
    """How a command has ended."""

    exit_code: int
    out: str
    err: str

    def data(self) -> Any:
        """The data of a success, which is checked against the contract."""
        assert self.exit_code == 0, (self.out, self.err)
        document = self._document()
        assert document.keys() == {"ok", "data"}
        assert document["ok"] is True
        return document["data"]

    def error(self) -> dict[str, Any]:
        """The error of a failure, which is checked against the contract."""
        assert self.exit_code != 0, self.out
        document = self._document()
        assert document.keys() == {"ok", "error"}
        assert document["ok"] is False
        error: dict[str, Any] = document["error"]
        assert error.keys() == {"code", "message", "hint", "details"}
        assert error["message"]
        assert isinstance(error["details"], dict)
        return error

    def _document(self) -> dict[str, Any]:
        assert "\x1b" not in self.out
        document: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return document


CLI = Callable[..., Ended]


def environment_for(url: str, home: Path) -> dict[str, str]:
    """The environment of a user who has configured nothing but the server's address."""
    kept = {name: value for name, value in os.environ.items() if name not in AGENTS}
    folders = {"XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home)}
    return {**kept, **folders, "INVOKEAI_URL": url, "TERM": "xterm-256color"}


@pytest.fixture
def environment(server: LocalServer, tmp_path: Path) -> dict[str, str]:
    return environment_for(server.url, tmp_path)


FORKED = """
import json, os, sys
from invokeai_py_client.cli.entry import main
from invokeai_py_client.cli import app, boards, check, discover, fleet, images, inputs, jobs, models, queue, run, server
from invokeai_py_client.cli import batch, codegen, report, sweep, workflows
import invokeai_py_client as package
for name in package.__all__:
    getattr(package, name)
for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.chdir(job["folder"])
        os.environ.clear()
        os.environ.update(job["environment"])
        for descriptor, name in enumerate(("in", "out", "err")):
            os.dup2(os.open(name, os.O_RDONLY if name == "in" else os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")
        exit_code = 70
        try:
            exit_code = main(job["arguments"])
        except SystemExit as end:
            exit_code = end.code or 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(exit_code)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
"""A process that has imported the package, and is forked for each command: that saves most of a second each time."""


@pytest.fixture(scope="session")
def forked() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", FORKED], stdin=-1, stdout=-1, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def cli(forked: subprocess.Popen[str], environment: dict[str, str], tmp_path: Path) -> CLI:
    """Runs a command in a process and a folder of its own."""
    folder = tmp_path / "cwd"
    folder.mkdir()

    def run(*arguments: object, stdin: str = "", **more: str) -> Ended:
        assert forked.stdin is not None
        assert forked.stdout is not None
        (folder / "in").write_text(stdin, encoding="utf-8")
        job = {
            "arguments": [*map(str, arguments)],
            "environment": {**environment, **more},
            "folder": str(folder),
        }
        print(json.dumps(job), file=forked.stdin, flush=True)
        exit_code = int(forked.stdout.readline())
        out, err = ((folder / name).read_text(encoding="utf-8") for name in ("out", "err"))
        assert "Traceback" not in err, err
        return Ended(exit_code, out, err)

    return run


@pytest.fixture
def blur_file(blur: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "blur.json"
    path.write_text(json.dumps(blur), encoding="utf-8")
    return path


@pytest.fixture
def sleep_file(sleep: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "sleep.json"
    path.write_text(json.dumps(sleep), encoding="utf-8")
    return path
