"""Failures that the real server does not produce when asked: each has its code and exit code, and says what to do."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import CLI, PROGRAM, Ended
from tests.cli.terminals import Terminal
from tests.faults.proxy import FaultProxy
from tests.support.status_server import status_server

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.cli.failures import CODES
from invokeai_py_client.local import LocalServer


@pytest.fixture
def answers() -> Iterator[str]:
    with status_server(tells_version=True) as url:
        yield url


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (401, "unauthorized", 4),
        (403, "forbidden", 4),
        (404, "not_invokeai", 3),
        (422, "rejected", 2),
        (500, "server_error", 1),
    ],
)
def test_what_a_server_answers_has_a_code(cli: CLI, answers: str, status: int, code: str, exit_code: int) -> None:
    ended = cli("boards", "list", "--url", f"{answers}/{status}")
    error = ended.error()
    assert (error["code"], ended.exit_code) == (code, exit_code)
    assert CODES[code][0] == exit_code
    assert error["hint"]


def test_a_server_that_cannot_be_started_has_a_code(cli: CLI, tmp_path: Path) -> None:
    ended = cli("server", "start", "--version", "../6", INVOKEAI_CLIENT_CACHE=str(tmp_path / "cache"))
    assert (ended.error()["code"], ended.exit_code) == ("local_server", 1)
    assert not (tmp_path / "cache").exists()


def test_images_that_cannot_be_saved_stay_on_the_server(
    environment: dict[str, str], blur_file: Path, tmp_path: Path, client: InvokeAIClient
) -> None:
    # No file may get any content, as on a full disk.
    command = [
        "sh",
        "-c",
        'ulimit -f 0; exec "$@"',
        "sh",
        *PROGRAM,
        "run",
        str(blur_file),
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    error = Ended(done.returncode, done.stdout, done.stderr).error()
    assert (error["code"], done.returncode) == ("file_error", 2)
    assert error["message"].startswith("The run has completed, and its images cannot be saved: ")
    (name,) = error["details"]["images"]
    assert client.image_repo.get_image(name).name == name


def test_a_batch_of_which_nobody_knows_whether_it_is_enqueued_has_a_code(
    cli: CLI, blur_file: Path, server: LocalServer, client: InvokeAIClient
) -> None:
    with FaultProxy(server.url) as proxy:
        proxy.next("/enqueue_batch", "swallow")
        proxy.next("/queue/default/b/", "403")
        ended = cli("run", blur_file, "--url", proxy.url, "--format", "json")
    error = ended.error()
    assert (error["code"], ended.exit_code) == ("not_enqueued", 1)
    assert "queue list" in error["hint"]
    # The details are enough to find it again.
    assert client.run(batch_id=error["details"]["batch_id"]).wait(30).status == "completed"


@pytest.mark.parametrize("chosen", ["json", "quiet"])
def test_a_question_is_asked_on_stderr_and_a_no_has_a_code(
    environment: dict[str, str], tmp_path: Path, client: InvokeAIClient, chosen: str
) -> None:
    board = client.board_repo.create_board(f"kept {chosen}")
    command = shlex.join([*PROGRAM, "boards", "delete", board.board_id, "--format", chosen])
    shown = Terminal(["sh", "-c", f"{command} > out"], environment, folder=tmp_path)
    try:
        shown.read_until(r"for good\? \[y/N\]")
        shown.type("n\n")
        ended = Ended(shown.end(), (tmp_path / "out").read_text(encoding="utf-8"), shown.text)
    finally:
        shown.close()
    assert ended.exit_code == 1
    if chosen == "json":
        assert ended.error()["code"] == "declined"
    else:
        assert (ended.out, "error: Nothing was done." in ended.err) == ("", True)
    client.board_repo.delete_board(board.board_id)


def test_a_defect_has_a_code_and_shows_its_traceback_only_on_request(
    environment: dict[str, str], tmp_path: Path
) -> None:
    # A module of the user's that has the name of one of Python's, which the program needs to read its configuration.
    shadows = tmp_path / "modules"
    shadows.mkdir()
    (shadows / "tomllib.py").write_text("")
    config = tmp_path / "config.toml"
    config.write_text("")
    more = {"PYTHONPATH": str(shadows), "INVOKEAI_CLIENT_CONFIG": str(config)}

    def run(*options: str) -> Ended:
        command = [*PROGRAM, "queue", "status", "--format", "json", *options]
        done = subprocess.run(command, env={**environment, **more}, capture_output=True, text=True, check=False)
        return Ended(done.returncode, done.stdout, done.stderr)

    ended = run()
    error = ended.error()
    assert (error["code"], ended.exit_code, ended.err) == ("internal", 1, "")
    assert "AttributeError" in error["message"]
    assert "--verbose" in error["hint"]
    ended = run("--verbose")
    assert ended.error()["code"] == "internal"
    assert "Traceback" in ended.err
    assert "tomllib" in ended.err
