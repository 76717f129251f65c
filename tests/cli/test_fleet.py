"""`fleet status` on the real server: documents, and a live table on any screen while servers come and go."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import CLI, PROGRAM
from tests.cli.terminals import CTRL_C, TerminalMaker, terminal
from tests.faults.proxy import FaultProxy

from invokeai_py_client import InvokeAIClient, QueueItemStatusChanged
from invokeai_py_client.local import LocalServer

__all__ = ["terminal"]


@pytest.fixture
def proxy(server: LocalServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def fleet(server: LocalServer, proxy: FaultProxy, tmp_path: Path) -> Path:
    """The real server, and the same one behind a proxy."""
    path = tmp_path / "fleet.toml"
    path.write_text(
        f'[[server]]\nurl = "{server.url}"\nname = "direct"\n'
        f'[[server]]\nurl = "{proxy.url}"\nname = "proxied"\nslots = 3\n'
    )
    return path


def test_what_is_known_of_a_server(cli: CLI, fleet: Path, sleep_file: Path, client: InvokeAIClient) -> None:
    cli("run", sleep_file, "--set", "Seconds=0.01").data()
    assert cli("run", sleep_file, "--set", "Fail At=0").exit_code == 1
    data = cli("fleet", "status", "--fleet", fleet).data()
    direct, proxied = data["servers"]
    assert (direct["state"], direct["version"]) == ("ready", client.app.get_version())
    assert (direct["devices"], direct["slots"], proxied["slots"]) == ({"cpu": "CPU"}, 1, 3)
    assert (data["usable"], data["slots"]) == (2, 4)
    assert direct["rows_per_hour"] > 0
    assert direct["failed"] >= 1
    assert direct["last_failure"].endswith("told to fail at step 0")


def test_a_lost_server_stays_in_the_table_on_any_screen(
    terminal: TerminalMaker, fleet: Path, proxy: FaultProxy
) -> None:
    shown = terminal("fleet", "status", "--fleet", fleet, "--watch", COLUMNS="80", LINES="24")
    frame = shown.read_until_frame("^2 of 2 servers usable")
    assert len(frame) == 24
    assert [line.split()[:3] for line in frame[2:5]] == [
        ["Server", "State", "Running"],
        ["direct", "ready", "0/1"],
        ["proxied", "ready", "0/3"],
    ]
    proxy.down()
    shown.read_until_frame(r"proxied +refused .* for \d+ s: ")
    shown.resize(24, 4)
    frame = shown.read_until_frame("^1 of 2 servers usable, …")
    assert len(frame) == 4
    assert max(map(len, frame)) <= 24
    proxy.up()
    shown.resize(100, 10)
    shown.read_until_frame("^2 of 2 servers usable")
    shown.type("q")
    assert shown.end() == 0
    assert shown.has_its_modes_back()
    assert "Traceback" not in shown.text


def test_ctrl_c_leaves_the_terminal_as_it_was(terminal: TerminalMaker, fleet: Path) -> None:
    shown = terminal("fleet", "status", "--fleet", fleet, "--watch")
    shown.read_until_frame("servers usable")
    shown.program.send_signal(signal.SIGINT)
    assert shown.end() == 130
    assert shown.has_its_modes_back()
    assert shown.raw.rindex("\x1b[?1049l") > shown.raw.rindex("\x1b[?1049h")


def test_in_a_pipe_it_is_a_line_for_each_reading(environment: dict[str, str], fleet: Path, proxy: FaultProxy) -> None:
    watching = subprocess.Popen(
        [*PROGRAM, "fleet", "status", "--fleet", fleet, "--watch"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    # So that a line that never comes ends the test.
    guard = threading.Timer(60, watching.kill)
    guard.start()
    with watching:
        assert watching.stdout is not None
        lines = map(json.loads, watching.stdout)
        first = next(lines)
        assert (first["event"], first["usable"]) == ("fleet_status", 2)
        proxy.down()
        assert next(line for line in lines if line["usable"] == 1)["servers"][1]["state"] == "refused"
        watching.send_signal(signal.SIGINT)
        last = [*lines][-1]
    guard.cancel()
    assert (watching.returncode, last["error"]["code"]) == (130, "interrupted")


@pytest.fixture
def rows_file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("Seconds,#n\n" + "".join(f"0.05,{number}\n" for number in range(12)), encoding="utf-8")
    return path


def test_a_batch_runs_on_all_servers_of_a_fleet(
    cli: CLI, fleet: Path, server: LocalServer, proxy: FaultProxy, sleep_file: Path, rows_file: Path, tmp_path: Path
) -> None:
    batch = ("batch", sleep_file, rows_file, "--fleet", fleet, "--out", tmp_path / "out")
    facts = cli(*batch).data()
    assert facts["counts"]["completed"] == 12
    assert facts["servers"].keys() == {server.url, proxy.url}
    assert sum(facts["servers"].values()) == 12
    # One server goes on where two have been.
    with rows_file.open("a", encoding="utf-8") as file:
        file.write("0.05,12\n")
    proxy.down()
    ended = cli(*batch, "--resume", "--format", "human")
    assert ended.exit_code == 0
    assert "note: proxied cannot be used now: " in ended.err
    assert "13 completed in" in ended.err
    assert "Rows by server: " in ended.err


def test_a_sweep_of_a_fleet_has_its_page(cli: CLI, fleet: Path, blur_file: Path, tmp_path: Path) -> None:
    facts = cli("sweep", blur_file, "--vary", "Width=64,72", "--fleet", fleet, "--out", tmp_path / "out").data()
    assert Path(facts["page"]).is_file()
    assert sum(facts["servers"].values()) == len([*(tmp_path / "out").glob("0*.png")]) == 2


def test_ctrl_c_cancels_on_all_servers(
    terminal: TerminalMaker, fleet: Path, sleep_file: Path, client: InvokeAIClient, tmp_path: Path
) -> None:
    vary = ("--vary", "Seconds=60,61,62,63")
    with client.stream_queue_events() as events:
        shown = terminal("sweep", sleep_file, *vary, "--fleet", fleet, "--out", tmp_path / "out")
        # Both servers of this fleet are the same one, so which row runs first is chance.
        next(one for one in events if isinstance(one, QueueItemStatusChanged) and one.status == "in_progress")
    # The program waits for the rows from here on.
    shown.read_until("0 of 4 rows")
    shown.type(CTRL_C)
    shown.read_until("Canceling on the server. Press Ctrl-C again to leave at once.")
    assert shown.end(10) == 130
    assert "error: 0 of 4 rows are done; the others were canceled." in shown.text
    assert client.queue.wait_until_idle(10)


def test_what_a_fleet_cannot_run_is_told_before_anything_is_sent(
    cli: CLI, fleet: Path, sleep_file: Path, rows_file: Path, tmp_path: Path
) -> None:
    batch = ("batch", sleep_file, rows_file, "--out", tmp_path / "out")
    error = cli(*batch, "--fleet", fleet, "--url", "http://127.0.0.1:9").error()
    assert (error["code"], error["message"]) == ("usage", "--fleet and --url exclude each other.")
    error = cli(*batch, "--fleet", fleet, "--board", "tigers").error()
    assert error["code"] == "usage"
    fleet.write_text('[[server]]\nurl = "http://127.0.0.1:9"\nname = "gone"\n')
    ended = cli(*batch, "--fleet", fleet)
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (1, "servers_unusable")
    assert [server["state"] for server in error["details"]["servers"]] == ["refused"]
    ended = cli(*batch, "--fleet", tmp_path / "none.toml")
    assert (ended.exit_code, ended.error()["code"]) == (2, "bad_input")
    assert not (tmp_path / "out").exists()
