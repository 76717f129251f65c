"""`jobs watch`: the whole screen in a terminal, lines of JSON in a pipe, of what other programs submit."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import CLI, PROGRAM
from tests.cli.terminals import CTRL_C, Terminal, TerminalMaker, terminal
from tests.faults.proxy import FaultProxy

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.local import LocalServer

__all__ = ["terminal"]


@pytest.fixture
def proxy(server: LocalServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.url) as proxy:
        yield proxy


def test_a_run_of_another_program_is_shown_on_any_screen(
    terminal: TerminalMaker, cli: CLI, sleep_file: Path, client: InvokeAIClient
) -> None:
    # The size that a shell may export is only that of the beginning.
    shown = terminal("jobs", "watch", COLUMNS="80", LINES="24")
    shown.read_until_frame("queue default")
    batch_id = cli("run", sleep_file, "--set", "Seconds=60", "--set", "Steps=60", "--no-wait").data()["batch_id"]
    try:
        frame = shown.read_until_frame(r"%  test_sleep  step \d+/60")
        assert len(frame) == 24
        assert any(line.startswith(batch_id) and "0/1 in_progress" in line for line in frame)
        shown.resize(20, 5)
        frame = shown.read_until_frame(r"^\d+ run ")
        assert len(frame) == 5
        assert max(map(len, frame)) <= 20
        assert f"{batch_id[:8]} 0/1 running" in map(str.rstrip, frame)
        shown.resize(120, 30)
        assert len(shown.read_until_frame("q quits")) == 30
    finally:
        cli("jobs", "cancel", batch_id)
    shown.read_until_frame(rf"{batch_id}.*canceled")
    shown.type("q")
    assert shown.end() == 0
    assert shown.has_its_modes_back()
    # The alternate screen is left, and the cursor is shown again.
    assert shown.raw.rindex("\x1b[?1049l") > shown.raw.rindex("\x1b[?1049h")
    assert shown.raw.rindex("\x1b[?25h") > shown.raw.rindex("\x1b[?25l")
    assert "Traceback" not in shown.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_the_terminal_as_it_was(terminal: TerminalMaker, number: signal.Signals) -> None:
    shown = terminal("jobs", "watch")
    shown.read_until_frame("queue default")
    shown.program.send_signal(number)
    assert shown.end() == 130
    assert shown.has_its_modes_back()
    assert shown.raw.rindex("\x1b[?1049l") > shown.raw.rindex("\x1b[?1049h")
    assert "Traceback" not in shown.text


@pytest.mark.parametrize("command", ["jobs watch", "run sleep.json"])
def test_ctrl_z_leaves_the_terminal_as_it_was_until_fg(
    environment: dict[str, str], sleep: dict[str, Any], tmp_path: Path, command: str
) -> None:
    sleep["nodes"][0]["data"]["inputs"]["seconds"]["value"] = 60
    (tmp_path / "sleep.json").write_text(json.dumps(sleep))
    is_watch = command == "jobs watch"
    on, off = ("\x1b[?1049h", "\x1b[?1049l") if is_watch else ("\x1b[?25l", "\x1b[?25h")
    shell = Terminal(
        ["bash", "--norc", "--noprofile", "-i"],
        {**environment, "PS1": "prompt \\#> ", "INPUTRC": "/dev/null"},
        folder=tmp_path,
    )
    try:
        shell.read_until("prompt 1> ")
        shell.type(f"{shlex.join(PROGRAM)} {command}\r")
        shell.read_until("queue default" if is_watch else "in_progress")
        for number in (2, 3):
            shell.type("\x1a")
            shell.read_until(f"Stopped(?s:.*)prompt {number}> ")
            assert shell.raw.rindex(off) > shell.raw.rindex(on)
            shell.raw = ""
            shell.type("fg\r")
            shell.read_until("queue default" if is_watch else "in_progress")
            assert on in shell.raw
        shell.type("q" if is_watch else CTRL_C)
        shell.read_until("prompt 4> ")
        assert shell.raw.rindex(off) > shell.raw.rindex(on)
    finally:
        shell.close()


def test_a_lost_server_is_waited_for(
    terminal: TerminalMaker, cli: CLI, blur_file: Path, proxy: FaultProxy, client: InvokeAIClient
) -> None:
    shown = terminal("jobs", "watch", "--url", proxy.url)
    shown.read_until_frame("queue default")
    proxy.down()
    shown.read_until_frame(r"server lost for \d+ s; reconnecting")
    shown.resize(30, 6)
    shown.read_until_frame(r"^no server, \d+ s")
    shown.resize(80, 24)
    batch_id = cli("run", blur_file, "--no-wait").data()["batch_id"]
    assert client.run(batch_id=batch_id).wait(30).status == "completed"
    proxy.up()
    shown.read_until_frame(rf"{batch_id}.*1/1 completed")
    shown.read_until_frame(r"^\S+  queue default *\n")
    shown.type("q")
    assert shown.end() == 0


def test_in_a_pipe_it_is_a_line_for_each_event(
    cli: CLI, environment: dict[str, str], sleep_file: Path, proxy: FaultProxy
) -> None:
    watching = subprocess.Popen(
        [*PROGRAM, "jobs", "watch", "--url", proxy.url],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    # So that a line that never comes ends the test.
    guard = threading.Timer(60, watching.kill)
    guard.start()
    with watching:
        assert watching.stdout is not None
        lines: Iterator[dict[str, Any]] = map(json.loads, watching.stdout)

        def until(name: str, **facts: object) -> dict[str, Any]:
            return next(line for line in lines if {**line, "event": name, **facts} == line)

        assert until("queue_status", queue="default")["is_paused"] is False
        run = cli("run", sleep_file, "--no-wait").data()
        assert until("batch_enqueued", batch_id=run["batch_id"])["enqueued"] == 1
        assert until("generator_progress", step=2)["item_id"] == run["item_ids"][0]
        assert until("queue_item_status_changed", status="completed")["batch_id"] == run["batch_id"]
        proxy.down()
        until("disconnected")
        proxy.up()
        assert until("reconnected")["seconds"] > 0
        until("queue_status", in_progress=0)
        watching.send_signal(signal.SIGINT)
        last = [*lines][-1]
    guard.cancel()
    assert (watching.returncode, last["error"]["code"]) == (130, "interrupted")


def test_a_reader_that_goes_away_ends_it(cli: CLI, environment: dict[str, str], sleep_file: Path) -> None:
    command = f"{' '.join(PROGRAM)} jobs watch --format quiet | head -n 1; echo ${{PIPESTATUS[0]}}"
    with subprocess.Popen(["bash", "-c", command], stdout=subprocess.PIPE, text=True, env=environment) as watching:
        assert watching.stdout is not None
        ended: list[int] = []
        # When it begins to watch is not told; it ends with the second line, which nobody reads.
        while watching.poll() is None and len(ended) < 200:
            ended += cli("run", sleep_file, "--set", "Seconds=0").data()["item_ids"]
        item_id, exit_code = watching.stdout.read().split()
    assert int(item_id) in ended
    assert exit_code == "0"


def test_a_server_that_is_not_there_is_told_at_once(terminal: TerminalMaker) -> None:
    shown = terminal("jobs", "watch", "--url", "http://127.0.0.1:9")
    assert shown.end(10) == 3
    assert "\x1b[?1049h" not in shown.raw
    assert "hint: Start the server" in shown.text
