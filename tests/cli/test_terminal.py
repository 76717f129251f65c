"""What a person sees in a terminal: progress, questions, and what Ctrl-C does."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from tests.cli.terminals import CTRL_C, SIXEL_QUERY, TerminalMaker, terminal

from invokeai_py_client import InvokeAIClient, QueueItemStatusChanged
from invokeai_py_client.local import LocalServer

__all__ = ["terminal"]

SIXEL = re.compile(r"\x1bP[0-9;]*q")


def test_run_shows_its_progress(terminal: TerminalMaker, sleep_file: Path) -> None:
    shown = terminal("run", sleep_file, "--set", "Seconds=1", "--set", "Steps=10")
    shown.read_until(r"in_progress .* \d+% \d\d:\d\d test_sleep step \d+/10")
    assert shown.end() == 0
    assert "0 images in" in shown.text


def test_previews_are_shown_where_the_terminal_shows_pictures(terminal: TerminalMaker) -> None:
    small = [f"--set={key}={value}" for key, value in {"Width": 64, "Height": 64, "denoise_latents.steps": 4}.items()]
    shown = terminal("run", "Text to Image - SD1.5", *small, "--set", "Positive Prompt=seen", has_sixel=True)
    shown.read_until("1 image in", 60)
    assert shown.end() == 0
    assert SIXEL.search(shown.raw)


def test_a_terminal_without_pictures_is_not_bothered(terminal: TerminalMaker, sleep_file: Path) -> None:
    asked, unasked = terminal("run", sleep_file), terminal("run", sleep_file, "--no-preview", has_sixel=True)
    asked.read_until("0 images in")
    unasked.read_until("0 images in")
    assert (asked.end(), unasked.end()) == (0, 0)
    assert (SIXEL_QUERY in asked.raw, SIXEL_QUERY in unasked.raw) == (True, False)
    assert not SIXEL.search(asked.raw + unasked.raw)


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
    shown.type(CTRL_C)
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
        shown.type(CTRL_C)
        shown.read_until("Press Ctrl-C again")
        shown.type(CTRL_C)
        assert shown.end(5) == 130
    finally:
        os.kill(server.pid, signal.SIGCONT)
    running = client.queue.get_current()
    if running is not None:
        client.queue.cancel_item(running.item_id)
    assert client.queue.wait_until_idle(30)


def test_a_sweep_shows_its_plan_and_its_progress(terminal: TerminalMaker, sleep_file: Path, tmp_path: Path) -> None:
    shown = terminal("sweep", sleep_file, "--vary", "Seconds=0.3..0.5..0.1", "--vary", "1=0.3", "--out", tmp_path / "o")
    assert shown.end() == 2
    assert "another column sets the same input" in shown.text
    shown = terminal(
        *("sweep", sleep_file, "--vary", "Seconds=0.3..0.5..0.1", "--vary", "Fail At=-1,2", "--out", tmp_path / "o")
    )
    shown.read_until(r"Plan: 6 rows\n+  Seconds: 0.3, 0.4, 0.5\n+  Fail At: -1, 2\n")
    shown.read_until(r"[1-5] of 6 rows .* \d+% \d:\d\d left *[123] failed")
    assert shown.end() == 1
    assert "row 1 failed: RuntimeError: told to fail at step 2" in shown.text
    assert f"{tmp_path / 'o' / 'index.html'}\n" in shown.text
    assert "3 completed, 3 failed in" in shown.text
    assert "error: Of 6 rows, 3 failed: RuntimeError: told to fail at step." in shown.text


def test_a_batch_is_stopped_by_ctrl_c_and_goes_on(
    terminal: TerminalMaker, sleep_file: Path, client: InvokeAIClient, tmp_path: Path
) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "o"
    rows.write_text("Seconds\n0.01\n1.5\n1.6\n", encoding="utf-8")
    shown = terminal("batch", sleep_file, rows, "--out", out)
    shown.read_until("1 of 3 rows")
    shown.type(CTRL_C)
    shown.read_until("Canceling on the server. Press Ctrl-C again to leave at once.")
    assert shown.end(10) == 130
    assert "error: 1 of 3 rows are done; the others were canceled." in shown.text
    assert "hint: Go on with the same command and --resume." in shown.text
    assert client.queue.wait_until_idle(10)
    shown = terminal("batch", sleep_file, rows, "--out", out, "--resume")
    assert shown.end() == 0
    assert "3 completed in" in shown.text
    statuses = [json.loads(line)["status"] for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert statuses.count("completed") == 3


def test_the_second_ctrl_c_leaves_a_batch_at_once(
    terminal: TerminalMaker, sleep_file: Path, server: LocalServer, client: InvokeAIClient, tmp_path: Path
) -> None:
    with client.stream_queue_events() as events:
        shown = terminal("sweep", sleep_file, "--vary", "Seconds=60,61", "--out", tmp_path / "o")
        next(one for one in events if isinstance(one, QueueItemStatusChanged) and one.status == "in_progress")
    shown.read_until("0 of 2 rows")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        shown.type(CTRL_C)
        shown.read_until("Press Ctrl-C again")
        shown.type(CTRL_C)
        assert shown.end(5) == 130
    finally:
        os.kill(server.pid, signal.SIGCONT)
    client.queue.clear()
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
