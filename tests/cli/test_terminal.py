"""What a person sees in a terminal: progress, questions, and what Ctrl-C does."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from tests.cli.terminals import TerminalMaker, terminal

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.local import LocalServer

__all__ = ["terminal"]


def test_run_shows_its_progress(terminal: TerminalMaker, sleep_file: Path) -> None:
    shown = terminal("run", sleep_file, "--set", "Seconds=1", "--set", "Steps=10")
    shown.read_until(r"in_progress .* \d+% .* step \d+/10")
    assert shown.end() == 0
    assert "0 images in" in shown.text


def test_without_colours_there_are_none(terminal: TerminalMaker) -> None:
    plain = terminal("boards", "list", "--url", "nowhere://x", NO_COLOR="1")
    coloured = terminal("boards", "list", "--url", "nowhere://x")
    assert (plain.end(), coloured.end()) == (2, 2)
    assert "error: " in plain.text
    assert "\x1b[3" not in plain.raw
    assert "\x1b[3" in coloured.raw


def test_an_agent_gets_json_on_a_terminal_too(terminal: TerminalMaker) -> None:
    shown = terminal("queue", "status", AI_AGENT="1")
    assert shown.end() == 0
    assert shown.text.startswith('{"ok": true')


def test_the_first_ctrl_c_cancels_on_the_server(
    terminal: TerminalMaker, sleep_file: Path, client: InvokeAIClient
) -> None:
    shown = terminal("run", sleep_file, "--set", "Seconds=60")
    shown.read_until("in_progress")
    shown.program.send_signal(signal.SIGINT)
    assert shown.end() == 130
    found = re.search(r"error: Batch (\S+) was canceled", shown.text)
    assert found is not None, shown.text
    assert client.queue.get_batch_status(found[1]).canceled == 1


def test_the_second_ctrl_c_leaves_at_once(
    terminal: TerminalMaker, sleep_file: Path, server: LocalServer, client: InvokeAIClient
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
    terminal: TerminalMaker, client: InvokeAIClient, answer: str, exit_code: int, is_left: bool
) -> None:
    board = client.board_repo.create_board(f"asked {answer}")
    shown = terminal("boards", "delete", board.board_id)
    shown.read_until(r"for good\? \[y/N\]")
    shown.type(f"{answer}\n")
    assert shown.end() == exit_code
    assert (board.board_id in [one.board_id for one in client.board_repo.list_boards()]) is is_left
