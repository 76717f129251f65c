"""A batch goes on in its folder: nothing is lost, and nothing runs twice, whatever died."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.batch_server import BatchServer, Item
from tests.support.batches import Plan, Runs, client_of
from tests.support.disks import full_disk

from invokeai_py_client import BatchRun
from invokeai_py_client.batch import control, recovery, sender
from invokeai_py_client.batch.checksums import checksum
from invokeai_py_client.batch.folder import BatchFolder
from invokeai_py_client.batch.journal import Journal, SentChunk, SentRow, Start
from invokeai_py_client.batch.manifest import rows_in
from invokeai_py_client.errors import BatchFolderError, InputsNotReadyError, RunTimeout
from invokeai_py_client.live.enqueue import EnqueueTimes
from invokeai_py_client.transport import backoff


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a moment for what may be on its way, and for a server that is away."""
    monkeypatch.setattr(recovery, "TIMES", EnqueueTimes(grace=0.5, grace_per_item=0))
    monkeypatch.setattr(control, "PAUSES", (0.05,))
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 0.02)


def widths(server: BatchServer, status: str = "completed") -> Counter[int]:
    return Counter(item.values[0]["value"] for item in server.having(status))


def run_through(server: BatchServer, plan: Plan, folder: Path, **options: Any) -> list[str]:
    """Run a plan in a client of its own; return the statuses of the rows."""
    with client_of(server.url) as client:
        return [row.status for row in client.begin(plan, folder, **options).results(60)]


def some_done(server: BatchServer, batch: BatchRun, count: int) -> None:
    """Let some rows end, and no more. Then the batch knows that all that were sent are in the queue."""
    server.allow(count)
    rows = batch.as_completed()
    for _ in range(count):
        next(rows)


def test_a_second_run_does_nothing(server: BatchServer, tmp_path: Path) -> None:
    assert run_through(server, Plan(range(20)), tmp_path) == ["completed"] * 20
    server.requests.clear()
    assert run_through(server, Plan(range(20)), tmp_path) == ["completed"] * 20
    assert (len(server.items), server.requests) == (20, {})


def test_what_failed_is_run_again(server: BatchServer, tmp_path: Path) -> None:
    server.fails = lambda item: "no" if item.values[0]["value"] == 3 else None
    assert run_through(server, Plan(range(5)), tmp_path).count("failed") == 1
    server.fails = lambda item: None
    assert run_through(server, Plan(range(5)), tmp_path) == ["completed"] * 5
    assert widths(server) == Counter(range(5))


def test_files_that_are_gone_or_altered_are_made_again(server: BatchServer, tmp_path: Path) -> None:
    run_through(server, Plan(range(5)), tmp_path)
    (tmp_path / "00001.png").unlink()
    altered = tmp_path / "00002.png"
    altered.write_bytes(altered.read_bytes()[::-1])
    assert run_through(server, Plan(range(5)), tmp_path) == ["completed"] * 5
    assert widths(server) == Counter([*range(5), 1, 2])
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [f"0000{n}.png" for n in range(5)]


def test_what_a_killed_program_was_writing_is_removed(server: BatchServer, tmp_path: Path) -> None:
    left = tmp_path / f".{8:016x}.part"
    others = [tmp_path / "mine.part", tmp_path / ".a.part", tmp_path / "below" / left.name]
    others[-1].parent.mkdir()
    for path in (left, *others):
        path.write_bytes(b"some")
    run_through(server, Plan([1]), tmp_path)
    assert [path.exists() for path in (left, *others)] == [False, True, True, True]


def test_another_value_runs_only_its_rows(server: BatchServer, tmp_path: Path) -> None:
    run_through(server, Plan([1, 3]), tmp_path)
    with client_of(server.url) as client:
        batch = client.begin(Plan([1, 2, 3]), tmp_path)
        rows = batch.results(60)
    assert widths(server) == Counter([1, 2, 3])
    # The file of the row that was the second one keeps its name.
    assert [row.files[0].path.name for row in rows] == ["00000.png", "00001_2.png", "00001.png"]
    assert [row.index for row in rows] == [0, 1, 2]


def test_the_file_of_a_row_that_is_invalid_by_now_is_not_replaced(server: BatchServer, tmp_path: Path) -> None:
    run_through(server, Plan([1]), tmp_path)
    made = (tmp_path / "00000.png").read_bytes()
    for widths_then in ([2, 1], [3, 2, 1]):
        run_through(server, Plan(widths_then, bad=[len(widths_then) - 1]), tmp_path)
        assert (tmp_path / "00000.png").read_bytes() == made
    assert widths(server) == Counter([1, 2, 3])


def test_another_order_runs_nothing(server: BatchServer, tmp_path: Path) -> None:
    run_through(server, Plan([1, 2, 3]), tmp_path)
    assert run_through(server, Plan([3, 1, 2]), tmp_path) == ["completed"] * 3
    assert len(server.items) == 3


def test_another_process_continues_with_what_is_in_the_queue(server: BatchServer, tmp_path: Path) -> None:
    server.pause()
    with client_of(server.url) as client:
        some_done(server, client.begin(Plan(range(50)), tmp_path, window=20), 5)
    server.resume()
    assert run_through(server, Plan(range(50)), tmp_path) == ["completed"] * 50
    assert widths(server) == Counter(range(50))
    for path in tmp_path.glob("*.png"):
        assert path.stat().st_size


def test_another_server_says_what_it_runs_again(
    server: BatchServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.pause()
    with client_of(server.url) as client:
        some_done(server, client.begin(Plan(range(5)), tmp_path), 2)
    with BatchServer() as other:
        assert run_through(other, Plan(range(5)), tmp_path) == ["completed"] * 5
        assert widths(other) == Counter(range(2, 5))
        told = f"3 unfinished rows were sent to {server.url}, which is not asked: they are run again by {other.url}"
        assert [one.message for one in caplog.records if "not asked" in one.message] == [told]


def test_a_batch_of_another_server_that_is_overwritten_says_what_it_does_not_cancel(
    server: BatchServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.pause()
    with client_of(server.url) as client:
        some_done(server, client.begin(Plan(range(5)), tmp_path), 2)
    with BatchServer() as other:
        for _ in range(2):
            with client_of(other.url) as client:
                client.begin(Plan(range(5)), tmp_path, overwrite=True).wait(30)
        assert len(server.having("pending")) == 3
        told = f"3 unfinished rows were sent to {server.url}, which is not asked: they are not canceled there"
        assert [one.message for one in caplog.records if "not asked" in one.message] == [told]


def test_what_is_running_meanwhile_is_shown_so(server: BatchServer, tmp_path: Path) -> None:
    server.pause()
    with client_of(server.url) as client:
        some_done(server, client.begin(Plan(range(4)), tmp_path), 1)
    server.items[2].status = "in_progress"
    with client_of(server.url) as client:
        batch = client.begin(Plan(range(4)), tmp_path)
        assert (batch.counts["in_progress"], batch.counts["pending"]) == (1, 2)


def test_what_has_ended_meanwhile_is_not_run_again(server: BatchServer, tmp_path: Path) -> None:
    server.pause()
    with client_of(server.url) as client:
        some_done(server, client.begin(Plan(range(20)), tmp_path), 1)
    server.fails = lambda item: "no" if item.values[0]["value"] == 3 else None
    server.resume()
    while server.having("pending"):
        time.sleep(0.01)
    statuses = run_through(server, Plan(range(20)), tmp_path)
    assert statuses == ["completed"] * 3 + ["failed"] + ["completed"] * 16
    assert len(server.items) == 20


def died_while_sending(folder: Path, *row_ids: str) -> str:
    """Leave a folder as a process does that was killed when it was about to send rows; return the batch's id."""
    journal = Journal(folder / ".batch" / "journal.jsonl")
    journal.started(Start("w"))
    rows = [SentRow(row_id, checksum([("blank", "width", int(row_id[0], 16))])) for row_id in row_ids]
    journal.sending(SentChunk("mine", rows))
    return "mine"


def test_a_chunk_that_never_arrived_is_sent(server: BatchServer, tmp_path: Path) -> None:
    died_while_sending(tmp_path, "0-0", "1-0")
    assert run_through(server, Plan(range(3)), tmp_path) == ["completed"] * 3
    assert widths(server) == Counter(range(3))


def put(server: BatchServer, batch_id: str, *values: int) -> None:
    for value in values:
        item_id = len(server.items) + 1
        named = [{"node_path": "blank", "field_name": "width", "value": value}]
        server.items[item_id] = Item(item_id, batch_id, named)
    server.adopt(batch_id)


def test_a_chunk_that_arrives_late_is_not_sent_again(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = died_while_sending(tmp_path, "0-0", "1-0", "2-0")

    class Times(EnqueueTimes):
        def storing(self, items: int) -> float:
            # The queue was looked at once; the server is still storing it.
            put(server, batch_id, 0, 1, 2)
            return 0.0

    monkeypatch.setattr(recovery, "TIMES", Times())
    assert run_through(server, Plan(range(3)), tmp_path) == ["completed"] * 3
    assert widths(server) == Counter(range(3))


def test_items_that_were_deleted_move_no_row(server: BatchServer, tmp_path: Path) -> None:
    batch_id = died_while_sending(tmp_path, "0-0", "1-0", "2-0", "3-0")
    put(server, batch_id, 1, 3)
    with client_of(server.url) as client:
        rows = client.begin(Plan(range(4)), tmp_path).results(60)
    assert [(row.values["Width"], row.item_id) for row in rows] == [(0, 3), (1, 1), (2, 4), (3, 2)]


def test_the_server_is_killed_and_started_again(server: BatchServer, tmp_path: Path) -> None:
    with client_of(server.url) as client:
        server.pause()
        batch = client.begin(Plan(range(200)), tmp_path, window=30)
        some_done(server, batch, 15)
        server.kill()
        first = server.having("pending")[0]
        first.status, first.started_at = "in_progress", "2026-01-01"
        with pytest.raises(RunTimeout):
            batch.wait(0.3)
        server.restart()
        server.resume()
        assert batch.wait(60).counts["completed"] == 200
        assert first.status == "canceled"
        assert {row.attempts for row in batch.results()} == {1, 2}
    assert widths(server) == Counter(range(200))


def test_a_response_that_is_lost(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    async def die() -> None:
        server.before_storing = None
        put(server, server.arriving, *range(10))
        raise ConnectionResetError

    server.before_storing = die
    assert client.begin(Plan(range(10)), tmp_path).wait(60).counts["completed"] == 10
    assert widths(server) == Counter(range(10))


def test_two_batches_do_not_share_a_folder(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    server.pause()
    batch = client.begin(Plan(range(5)), tmp_path)
    with pytest.raises(BatchFolderError, match=r"is in use by a batch of process \d+"):
        client.begin(Plan(range(5)), tmp_path)
    server.resume()
    batch.wait(60)
    assert client.begin(Plan(range(5)), tmp_path).wait(60).counts["completed"] == 5


def test_results_of_another_workflow_are_not_mixed_in(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    client.begin(Plan(range(5)), tmp_path).wait(60)
    other = Plan(range(2), workflow="other")
    with pytest.raises(BatchFolderError, match=r"results of another workflow.*overwrite=True"):
        client.begin(other, tmp_path)
    (tmp_path / "mine.txt").write_text("kept")
    client.begin(other, tmp_path, overwrite=True).wait(60)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "00000.png",
        "00001.png",
        "manifest.jsonl",
        "mine.txt",
    ]


@pytest.mark.parametrize("where", ["{elsewhere}/thesis.png", "../elsewhere/thesis.png", "C:thesis.png"])
def test_a_manifest_cannot_name_files_outside_of_its_folder(
    where: str, server: BatchServer, client: Runs, tmp_path: Path
) -> None:
    """The folder may come from somebody else."""
    folder, elsewhere = tmp_path / "batch", tmp_path / "elsewhere"
    client.begin(Plan([3]), folder).wait(60)
    elsewhere.mkdir()
    thesis = elsewhere / "thesis.png"
    thesis.write_text("important")
    manifest = folder / "manifest.jsonl"
    line = json.loads(manifest.read_text())
    line["files"][0]["path"] = where.format(elsewhere=elsewhere)
    manifest.write_text(json.dumps(line) + "\n")
    assert [row.files for row in rows_in(folder)] == [()]
    assert client.begin(Plan([3]), folder, redoes=False).results()[0].files == ()
    client.begin(Plan([4]), folder, overwrite=True).wait(60)
    assert thesis.read_text() == "important"


def test_overwriting_cancels_what_is_still_in_the_queue(server: BatchServer, tmp_path: Path) -> None:
    server.pause()
    with client_of(server.url) as client:
        some_done(server, client.begin(Plan(range(5)), tmp_path), 0)
    server.resume()
    with client_of(server.url) as client:
        client.begin(Plan([7]), tmp_path, overwrite=True).wait(60)
    assert widths(server)[7] == 1
    assert not server.having("pending")


def test_what_was_sent_to_another_queue_is_followed_there(server: BatchServer, tmp_path: Path) -> None:
    server.pause()
    with client_of(server.url) as client:
        some_done(server, client.begin(Plan(range(10)), tmp_path, window=6), 2)
    with client_of(server.url) as client:
        batch = client.begin(Plan(range(10)), tmp_path, queue_id="night", window=6)
        server.resume()
        assert [row.status for row in batch.results(60)] == ["completed"] * 10
    assert widths(server) == Counter(range(10)), "nothing has run twice"
    assert {item.queue_id for item in server.items.values()} == {"default", "night"}
    assert [item.queue_id for item in server.items.values()][:6] == ["default"] * 6


def test_overwriting_cancels_in_each_queue(server: BatchServer, tmp_path: Path) -> None:
    server.pause()
    for queue_id, count in (("default", 3), ("night", 6)):
        with client_of(server.url) as client:
            client.begin(Plan(range(count)), tmp_path, queue_id=queue_id)
            while len(server.items) < count:
                time.sleep(0.01)
    with client_of(server.url) as client:
        client.begin(Plan([]), tmp_path, queue_id="third", overwrite=True)
    # If a client was closed before the response arrived, it has canceled its rows, and the next one sent them again.
    assert {item.status for item in server.items.values()} == {"canceled"}
    assert {item.queue_id for item in server.items.values()} == {"default", "night"}


def test_a_batch_keeps_its_id_in_its_folder(server: BatchServer, tmp_path: Path) -> None:
    with client_of(server.url) as client:
        first = client.begin(Plan(range(3)), tmp_path)
        first.wait(60)
    with client_of(server.url) as client:
        looked_at = client.begin(Plan(range(3)), tmp_path, redoes=False)
        assert looked_at.batch_id == first.batch_id
        found = client.found(looked_at.batch_id)
        assert (len(found), found.batch_id) == (3, first.batch_id)
    with client_of(server.url) as client:
        client.begin(Plan(range(5)), tmp_path).wait(60)
        assert len(client.found(first.batch_id)) == 5
    batch_ids = {item.batch_id for item in server.items.values()}
    assert len(batch_ids) == 2, "no id was used twice"
    assert all(batch_id.startswith(f"{first.batch_id}-") for batch_id in batch_ids)
    with client_of(server.url) as client:
        assert client.begin(Plan(range(3)), tmp_path, overwrite=True).batch_id != first.batch_id


def test_a_batch_that_has_ended_is_over_when_it_is_found(server: BatchServer, tmp_path: Path) -> None:
    server.fails = lambda item: "no" if item.values[0]["value"] == 3 else None
    run_through(server, Plan(range(5)), tmp_path, report=True)
    with client_of(server.url) as client:
        batch = client.begin(Plan(range(5)), tmp_path, redoes=False)
        assert batch.is_over
        assert client.found(batch.batch_id).is_over
        server.fails = lambda item: None
        assert batch.retry_failed() == 1
        assert batch.wait(60).counts["completed"] == 5
    server.pause()
    with client_of(server.url) as client:
        assert not client.begin(Plan(range(6)), tmp_path).is_over


def test_what_the_server_has_refused_stays_so_until_it_is_submitted_again(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise InputsNotReadyError("the graph is refused")

    with monkeypatch.context() as refusing:
        refusing.setattr(sender, "enqueue", refuse)
        assert run_through(server, Plan(range(3)), tmp_path) == ["failed"] * 3
    server.requests.clear()
    assert run_through(server, Plan(range(3)), tmp_path, redoes=False) == ["failed"] * 3
    assert (len(server.items), server.requests) == (0, {}), "nothing is looked for"
    assert run_through(server, Plan(range(3)), tmp_path) == ["completed"] * 3


def test_a_canceled_batch_stays_canceled_until_it_is_submitted_again(server: BatchServer, tmp_path: Path) -> None:
    server.pause()
    with client_of(server.url) as client:
        batch = client.begin(Plan(range(20)), tmp_path, window=10)
        some_done(server, batch, 0)
        batch.cancel()
        batch.wait(60)
    server.resume()
    assert run_through(server, Plan(range(20)), tmp_path, redoes=False) == ["canceled"] * 20
    assert run_through(server, Plan(range(20)), tmp_path) == ["completed"] * 20


def test_what_failed_and_was_about_to_be_sent_again_stays_failed(server: BatchServer, tmp_path: Path) -> None:
    server.fails = lambda item: "no"
    run_through(server, Plan(range(3)), tmp_path)
    server.fails = lambda item: None
    died_while_sending(tmp_path, "1-0")
    assert run_through(server, Plan(range(3)), tmp_path, redoes=False) == ["failed"] * 3
    assert len(server.items) == 3
    put(server, "mine", 1)
    assert run_through(server, Plan(range(3)), tmp_path, redoes=False) == ["failed", "completed", "failed"]
    assert run_through(server, Plan(range(3)), tmp_path) == ["completed"] * 3
    assert widths(server) == Counter(range(3))


def test_a_folder_is_looked_at_without_running_what_failed(server: BatchServer, tmp_path: Path) -> None:
    server.fails = lambda item: "no" if item.values[0]["value"] == 3 else None
    run_through(server, Plan(range(5)), tmp_path)
    (tmp_path / "00001.png").unlink()
    assert run_through(server, Plan(range(5)), tmp_path, redoes=False).count("failed") == 1
    assert len(server.items) == 5


def test_a_full_disk_loses_nothing_that_has_finished(server: BatchServer, tmp_path: Path) -> None:
    with client_of(server.url) as client:
        server.pause()
        batch = client.begin(Plan(range(50)), tmp_path)
        with full_disk(6000):
            server.resume()
            with pytest.raises(BatchFolderError, match=r"cannot write .*too large.* not run again"):
                batch.wait(60)
    assert 0 < batch.counts["completed"] < 50
    while server.having("pending"):
        time.sleep(0.01)
    assert run_through(server, Plan(range(50)), tmp_path) == ["completed"] * 50
    assert widths(server) == Counter(range(50))


@pytest.mark.parametrize(
    "spoil", [lambda path: path.write_text("a file"), lambda path: (path / "manifest.jsonl").mkdir(parents=True)]
)
def test_a_folder_that_cannot_be_written(spoil: Callable[[Path], object], client: Runs, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    spoil(folder)
    with pytest.raises(BatchFolderError, match=r"cannot write '.*out.*'"):
        client.begin(Plan(range(5)), folder)


def test_a_torn_manifest_is_repaired(server: BatchServer, tmp_path: Path) -> None:
    run_through(server, Plan(range(5)), tmp_path)
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-10])
    assert run_through(server, Plan(range(5)), tmp_path) == ["completed"] * 5
    assert widths(server) == Counter(range(5)), "the journal tells which item has run the row"


def test_what_is_written_does_not_depend_on_who_died(server: BatchServer, tmp_path: Path) -> None:
    server.pause()
    for _ in range(3):
        with client_of(server.url) as client:
            some_done(server, client.begin(Plan(range(30)), tmp_path / "killed", window=12), 4)
    server.resume()
    run_through(server, Plan(range(30)), tmp_path / "killed")
    run_through(server, Plan(range(30)), tmp_path / "calm")
    names = [sorted(path.name for path in (tmp_path / one).glob("*.png")) for one in ("killed", "calm")]
    assert names[0] == names[1] == [f"{n:05d}.png" for n in range(30)]


async def test_a_folder_stays_locked_until_a_thread_has_stopped_writing(tmp_path: Path) -> None:
    """As after Ctrl-C, or at the end of a time limit, while a batch begins."""
    folder, gate = BatchFolder(tmp_path), threading.Event()
    writing = asyncio.create_task(folder.in_thread(gate.wait))
    try:
        await asyncio.sleep(0)
        writing.cancel()
        folder.release()
        with pytest.raises(BatchFolderError, match="is in use"):
            BatchFolder(tmp_path)
        assert not writing.done()
    finally:
        gate.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    BatchFolder(tmp_path).release()
