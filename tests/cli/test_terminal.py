"""What a person sees in a terminal: progress, questions, and what Ctrl-C does."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import PROGRAM

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.local import LocalServer

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self.program = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
            # Ctrl-C is ignored where the tests run in the background of a shell, and programs inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(theirs)
        self.raw = ""

    @property
    def text(self) -> str:
        """What was shown so far, without control sequences."""
        return ESCAPES.sub("", self.raw).replace("\r", "\n")

    def read_until(self, wanted: str, seconds: float = 30) -> None:
        """Read until the program has shown something."""
        deadline = time.monotonic() + seconds
        while not re.search(wanted, self.text):
            left = deadline - time.monotonic()
            assert left > 0, self.text
            if select.select([self._ours], [], [], left)[0]:
                self.raw += self._read()

    def end(self, seconds: float = 30) -> int:
        """Wait until the program has ended, and read the rest."""
        exit_code = self.program.wait(seconds)
        while select.select([self._ours], [], [], 0)[0] and (more := self._read()):
            self.raw += more
        return exit_code

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> None:
        if self.program.poll() is None:
            self.program.kill()
            self.program.wait()
        os.close(self._ours)

    def _read(self) -> str:
        try:
            return os.read(self._ours, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            return ""


@pytest.fixture
def terminal(environment: dict[str, str]) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def begin(*arguments: object, **more: str) -> Terminal:
        opened.append(Terminal([*map(str, arguments)], {**environment, **more}))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


def test_run_shows_its_progress(terminal: Callable[..., Terminal], sleep_file: Path) -> None:
    shown = terminal("run", sleep_file, "--set", "Seconds=1", "--set", "Steps=10")
    shown.read_until(r"in_progress .* \d+% .* step \d+/10")
    assert shown.end() == 0
    assert "0 images in" in shown.text


def test_without_colours_there_are_none(terminal: Callable[..., Terminal]) -> None:
    plain = terminal("boards", "list", "--url", "nowhere://x", NO_COLOR="1")
    coloured = terminal("boards", "list", "--url", "nowhere://x")
    assert (plain.end(), coloured.end()) == (2, 2)
    assert "error: " in plain.text
    assert "\x1b[3" not in plain.raw
    assert "\x1b[3" in coloured.raw


def test_an_agent_gets_json_on_a_terminal_too(terminal: Callable[..., Terminal]) -> None:
    shown = terminal("queue", "status", AI_AGENT="1")
    assert shown.end() == 0
    assert shown.text.startswith('{"ok": true')


def test_the_first_ctrl_c_cancels_on_the_server(
    terminal: Callable[..., Terminal], sleep_file: Path, client: InvokeAIClient
) -> None:
    shown = terminal("run", sleep_file, "--set", "Seconds=60")
    shown.read_until("in_progress")
    shown.program.send_signal(signal.SIGINT)
    assert shown.end() == 130
    found = re.search(r"error: Batch (\S+) was canceled", shown.text)
    assert found is not None, shown.text
    assert client.queue.get_batch_status(found[1]).canceled == 1


def test_the_second_ctrl_c_leaves_at_once(
    terminal: Callable[..., Terminal], sleep_file: Path, server: LocalServer, client: InvokeAIClient
) -> None:
    shown = terminal("run", sleep_file, "--set", "Seconds=60")
    shown.read_until("in_progress")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        shown.program.send_signal(signal.SIGINT)
        shown.read_until("Press Ctrl-C again")
        shown.program.send_signal(signal.SIGINT)
        assert shown.end(5) == 130
    finally:
        os.kill(server.pid, signal.SIGCONT)
    running = client.queue.get_current()
    if running is not None:
        client.queue.cancel_item(running.item_id)
    assert client.queue.wait_until_idle(30)


@pytest.mark.parametrize(("answer", "exit_code", "is_left"), [("n", 1, True), ("y", 0, False)])
def test_a_deletion_asks_first(
    terminal: Callable[..., Terminal], client: InvokeAIClient, answer: str, exit_code: int, is_left: bool
) -> None:
    board = client.board_repo.create_board(f"asked {answer}")
    shown = terminal("boards", "delete", board.board_id)
    shown.read_until(r"for good\? \[y/N\]")
    shown.type(f"{answer}\n")
    assert shown.end() == exit_code
    assert (board.board_id in [one.board_id for one in client.board_repo.list_boards()]) is is_left
