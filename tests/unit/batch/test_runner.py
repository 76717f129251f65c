"""What goes wrong while a batch runs loses no row, runs none twice, and never leaves a wait without an end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.support.batch_server import BatchServer, Item, image_name
from tests.support.batches import Bodies, Plan, Runs, client_of
from tests.support.disks import full_disk

from invokeai_py_client import BatchProgress, BatchRun
from invokeai_py_client.batch import control, recovery, runner
from invokeai_py_client.batch.batch_report import BatchReport
from invokeai_py_client.batch.checksums import checksum
from invokeai_py_client.batch.journal import Journal, SentChunk, SentRow, Start
from invokeai_py_client.errors import (
    BatchFolderError,
    InputsNotReadyError,
    InvokeAIError,
    RunError,
    RunTimeout,
    TransportError,
)
from invokeai_py_client.live import withdrawal
from invokeai_py_client.live.enqueue import EnqueueTimes
from invokeai_py_client.report.sheets import Painter
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport import backoff


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a moment for what may be on its way, and for a server that is away."""
    monkeypatch.setattr(recovery, "TIMES", EnqueueTimes(grace=0.1, grace_per_item=0))
    monkeypatch.setattr(control, "PAUSES", (0.05,))
    monkeypatch.setattr(runner, "PATIENCE", 0.2)
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 0.02)


@pytest.fixture
def hasty(server: BatchServer) -> Iterator[Runs]:
    """A client that sends no request twice by itself."""
    with contextlib.closing(Runs(server.url, Settings(url=server.url, retries=0))) as runs:
        yield runs


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Something to wait at, which is open after the test."""
    event = threading.Event()
    yield event
    event.set()


def width_of(item: Item) -> int:
    width: int = item.values[0]["value"]
    return width


def completed(server: BatchServer) -> Counter[int]:
    return Counter(map(width_of, server.having("completed")))


def until(is_so: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it has not happened in time"
        time.sleep(0.005)


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def restarted_while_running(server: BatchServer, item: Item, batch: BatchRun) -> None:
    """Kill the server while an item runs, and start it again: it cancels the item."""
    server.kill()
    item.status, item.started_at = "in_progress", "2026-01-01"
    with pytest.raises(RunTimeout):
        batch.wait(0.3)
    server.restart()


class Away(TransportError):
    """The server cannot be reached."""

    def __init__(self) -> None:
        super().__init__("connection refused", url="/", method="POST", sent=False)


# Rows that are sent again


def test_a_window_of_one_whose_only_row_a_restarted_server_cancels(server: BatchServer, client: Runs) -> None:
    server.pause()
    batch = client.begin(Plan([7]), window=1)
    until(lambda: server.items)
    restarted_while_running(server, server.items[1], batch)
    until(lambda: len(server.items) == 2)
    server.resume()
    assert batch.wait(60).counts["completed"] == 1


def test_rows_that_never_reached_the_queue_were_not_attempted(server: BatchServer, client: Runs) -> None:
    server.capacity = 10
    server.pause()
    batch = client.begin(Plan(range(30)))
    until(lambda: len(server.items) == 10)
    batch.cancel()
    assert [row.attempts for row in batch.results(60)] == [1] * 10 + [0] * 20


def test_failed_rows_are_run_again_while_the_report_is_being_finished(
    server: BatchServer, client: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    finish, begun = BatchReport.finish, threading.Event()

    def finishing(report: BatchReport) -> None:
        begun.set()
        gate.wait()
        finish(report)

    monkeypatch.setattr(BatchReport, "finish", finishing)
    server.fails = lambda item: "no" if width_of(item) == 1 else None
    batch = client.begin(Plan(range(3)), tmp_path, report=True)
    begun.wait()
    server.fails = lambda item: None
    assert batch.retry_failed() == 1
    gate.set()
    assert batch.wait(60).counts["completed"] == 3


def test_a_canceled_batch_draws_no_contact_sheet(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    server.pause()
    batch = client.begin(Plan(range(3)), tmp_path, report=True)
    until(lambda: server.items)
    batch.cancel()
    assert batch.wait(60).counts["canceled"] == 3
    assert "finished" in "".join(path.read_text("utf-8") for path in (tmp_path / "report").glob("*.js"))
    assert not (tmp_path / "contact_sheet.png").exists()


def test_a_contact_sheet_that_is_being_drawn_is_dropped_when_the_batch_is_canceled(
    server: BatchServer, client: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    paint, begun = Painter.paint, threading.Event()

    def painting(painter: Painter, sheet: Any, is_wanted: Any) -> Any:
        begun.set()
        gate.wait()
        return paint(painter, sheet, is_wanted)

    monkeypatch.setattr(Painter, "paint", painting)
    batch = client.begin(Plan(range(3)), tmp_path, report=True)
    begun.wait()
    batch.cancel()
    gate.set()
    assert batch.wait(60).counts["completed"] == 3
    assert not (tmp_path / "contact_sheet.png").exists()


def test_a_batch_that_was_paused_and_has_ended_runs_its_failed_rows_again(server: BatchServer, client: Runs) -> None:
    server.fails = lambda item: "no"
    batch = client.begin(Plan([7]))
    batch.wait(60)
    batch.pause()
    server.fails = lambda item: None
    assert batch.retry_failed() == 1
    assert batch.wait(60).counts["completed"] == 1


def test_failed_rows_are_not_run_again_while_the_batch_is_being_canceled() -> None:
    """Its other rows would be sent as well."""

    class Stubborn(BatchServer):
        """Its items cannot be interrupted."""

        async def _cancel(self, request: web.Request) -> web.Response:
            return web.json_response({"canceled": 0})

    with Stubborn() as stubborn, client_of(stubborn.url) as runs:
        stubborn.fails = lambda item: "no" if width_of(item) < 2 else None
        stubborn.allow(5)
        batch = runs.begin(Plan(range(300)), window=9)
        until(lambda: batch.counts["failed"] == 2 and batch.counts["completed"] == 3)
        batch.cancel()
        with pytest.raises(RunError, match=r"still being canceled: \d+ of its rows have not ended.*wait\(\)"):
            batch.retry_failed()
        stubborn.fails = lambda item: None
        sent = len(stubborn.items)
        stubborn.resume()
        batch.wait(60)
        assert batch.retry_failed() == 2
        assert batch.wait(60).counts["failed"] == 0
        assert len(stubborn.items) == sent + 2


def test_a_folder_that_another_batch_has_used_since_is_left_alone(
    server: BatchServer, client: Runs, tmp_path: Path
) -> None:
    server.fails = lambda item: "no" if width_of(item) == 1 else None
    first = client.begin(Plan(range(3)), tmp_path)
    first.wait(60)
    server.fails = lambda item: None
    with client_of(server.url) as other:
        other.begin(Plan(range(3)), tmp_path).wait(60)
    with pytest.raises(BatchFolderError, match=r"has been used by another batch in the meantime.*[Ss]ubmit"):
        first.retry_failed()
    assert completed(server) == Counter(range(3))
    assert client.begin(Plan(range(3)), tmp_path).wait(60).counts["completed"] == 3, "it is not locked"


def test_a_batch_that_has_stopped_in_the_middle_cannot_retry(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    server.fails = lambda item: "no" if width_of(item) == 0 else None
    server.allow(1)
    batch = client.begin(Plan(range(9)), tmp_path)
    next(batch.as_completed())
    with full_disk((tmp_path / "manifest.jsonl").stat().st_size):
        server.resume()
        with pytest.raises(BatchFolderError):
            batch.wait(60)
    with pytest.raises(RunError, match=r"has stopped with 8 rows.*Submit"):
        batch.retry_failed()


# Going on with what another process has sent


def died_while_sending(folder: Path, server: BatchServer, *widths: int) -> None:
    """Leave a folder and a queue as a process does that was killed when it had just sent rows."""
    journal = Journal(folder / ".batch" / "journal.jsonl")
    journal.started(Start("w"))
    rows = [SentRow(f"{width:x}-0", checksum([("blank", "width", width)])) for width in widths]
    journal.sending(SentChunk("mine", rows))
    for width in widths:
        named = [{"node_path": "blank", "field_name": "width", "value": width}]
        server.items[len(server.items) + 1] = Item(len(server.items) + 1, "mine", named)
    server.adopt("mine")


def test_a_batch_that_could_not_begin_records_nothing(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    class Unready(Plan):
        async def check(self) -> None:
            raise InputsNotReadyError("the model is gone")

    server.pause()
    died_while_sending(tmp_path, server, 0, 1)
    with pytest.raises(InputsNotReadyError):
        client.begin(Unready(range(5)), tmp_path)
    batch = client.begin(Plan(range(5)), tmp_path)
    server.resume()
    assert batch.wait(60).counts["completed"] == 5
    assert sorted(line["index"] for line in lines_of(tmp_path)) == [*range(5)]


def test_a_folder_that_becomes_full_while_a_batch_begins(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    client.begin(Plan(range(10, 20)), tmp_path).wait(60)
    died_while_sending(tmp_path, server, 0, 1)
    until(lambda: not server.having("pending"))
    with full_disk((tmp_path / "manifest.jsonl").stat().st_size), pytest.raises(BatchFolderError, match="cannot write"):
        client.begin(Plan(range(2)), tmp_path, images="none")
    assert client.begin(Plan(range(2)), tmp_path).wait(60).counts["completed"] == 2
    assert completed(server) == Counter([0, 1, *range(10, 20)])


def test_a_batch_that_cannot_replace_another_leaves_it_as_it_is(
    server: BatchServer, hasty: Runs, tmp_path: Path
) -> None:
    class Unready(Plan):
        async def check(self) -> None:
            raise InputsNotReadyError("the model is gone")

    hasty.begin(Plan(range(3)), tmp_path).wait(60)
    with pytest.raises(InputsNotReadyError):
        hasty.begin(Unready(range(3), workflow="other"), tmp_path, overwrite=True)
    server.kill()
    journal = Journal(tmp_path / ".batch" / "journal.jsonl")
    journal.sending(SentChunk("still there", [SentRow("7-0", "")]))
    with pytest.raises(InvokeAIError):
        hasty.begin(Plan(range(3), workflow="other"), tmp_path, overwrite=True)
    assert (len(lines_of(tmp_path)), len([*tmp_path.glob("*.png")])) == (3, 3)


# Stopping


def test_nothing_is_sent_after_a_pause_not_even_what_was_being_prepared(
    server: BatchServer, client: Runs, gate: threading.Event
) -> None:
    class Slow(Plan):
        async def prepare(self, group: Any) -> Bodies:
            self.prepared += 1
            await asyncio.to_thread(gate.wait)
            return await super().prepare(group)

    plan = Slow(range(5))
    batch = client.begin(plan)
    until(lambda: plan.prepared)
    batch.pause()
    gate.set()
    time.sleep(0.1)
    assert not server.items
    batch.resume()
    assert batch.wait(60).counts["completed"] == 5


@pytest.mark.parametrize("trouble", ["away", "full"])
def test_ctrl_c_does_not_wait_for_a_server_that_takes_nothing(
    trouble: str, server: BatchServer, client: Runs, tmp_path: Path
) -> None:
    if trouble == "away":
        server.pause()
        batch = client.begin(Plan(range(20)), tmp_path, window=10)
        until(lambda: len(server.items) == 10)
        server.kill()
    else:
        server.capacity = 0
        batch = client.begin(Plan(range(20)), tmp_path, window=10)
        until(lambda: server.requests["enqueue_batch"])

    def interrupt(progress: BatchProgress) -> None:
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        batch.wait(60, progress_callback=interrupt)
    assert time.monotonic() - began < 20
    server.capacity = 1000
    if trouble == "away":
        server.restart()
    batch.resume()
    server.resume()
    assert batch.wait(60).counts["completed"] == 20
    assert completed(server) == Counter(range(20))


def test_rows_that_were_being_sent_at_ctrl_c_and_are_stored_late_are_run_once(
    server: BatchServer, client: Runs, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawal, "RELEASE", 0.05)
    monkeypatch.setattr(recovery, "TIMES", EnqueueTimes(grace=1.0, grace_per_item=0))

    async def wait() -> None:
        await asyncio.to_thread(gate.wait)

    server.before_storing = wait
    batch = client.begin(Plan(range(20)))
    until(lambda: server.arriving)

    def interrupt(progress: BatchProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.wait(60, progress_callback=interrupt)
    batch.resume()
    gate.set()
    assert batch.wait(60).counts["completed"] == 20
    assert completed(server) == Counter(range(20))


def test_rows_that_were_stored_before_ctrl_c_but_answered_late_are_run(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The withdrawal of the request comes when the batch has gone on."""
    monkeypatch.setattr(withdrawal, "RELEASE", 0.05)

    class SlowToAnswer(BatchServer):
        async def _enqueue(self, request: web.Request) -> web.Response:
            response = await super()._enqueue(request)
            if self.requests["enqueue_batch"] == 1:
                await asyncio.to_thread(gate.wait)
            return response

    with SlowToAnswer() as server, client_of(server.url) as runs:
        server.pause()
        batch = runs.begin(Plan(range(20)))
        until(lambda: server.items)

        def interrupt(progress: BatchProgress) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            batch.wait(60, progress_callback=interrupt)
        batch.resume()
        # Time to find the rows, which must wait for the withdrawal.
        time.sleep(0.5)
        gate.set()
        until(lambda: server.requests["cancel_by_batch_ids"])
        server.resume()
        assert batch.wait(60).counts["completed"] == 20
        assert completed(server) == Counter(range(20))


def test_rows_that_wait_for_a_server_that_is_away_are_canceled_not_failed(server: BatchServer, client: Runs) -> None:
    class Unreachable(Plan):
        async def prepare(self, group: Any) -> Bodies:
            raise Away

    batch = client.begin(Unreachable(range(3)))
    batch.cancel()
    assert batch.wait(60).counts["canceled"] == 3


# Recording


def test_a_folder_in_the_place_of_an_image_fails_its_row(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    (tmp_path / "00001.png").mkdir()
    batch = client.begin(Plan(range(3)), tmp_path)
    assert batch.wait(20).counts["failed"] == 1
    assert "cannot be saved" in (batch.results()[1].error or "")


def test_a_row_whose_image_was_gone_has_the_name_of_its_file_when_it_is_run_again(
    server: BatchServer, client: Runs, tmp_path: Path
) -> None:
    server.deleted = {image_name(2)}
    batch = client.begin(Plan(range(3)), tmp_path)
    batch.wait(60)
    batch.retry_failed()
    assert [row.files[0].path.name for row in batch.results(60)] == ["00000.png", "00001.png", "00002.png"]


def test_an_unforeseen_error_while_recording_ends_the_wait(
    server: BatchServer, client: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(report: BatchReport, row: Any) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(BatchReport, "add", broken)
    batch = client.begin(Plan(range(3)), tmp_path, report=True, images="none")
    with pytest.raises(ZeroDivisionError, match="a fault of ours"):
        batch.wait(20)
