"""A batch runs every row once, and tells what became of it."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Sized
from pathlib import Path
from typing import Any

import pytest
from tests.support.batch_server import BatchServer, Item, image_content, image_name
from tests.support.batches import Bodies, Plan, Runs, client_of

from invokeai_py_client import BatchProgress, BatchRow, RowFile
from invokeai_py_client.batch import batch_run
from invokeai_py_client.batch.csv_file import csv_cells
from invokeai_py_client.errors import (
    AuthenticationError,
    InputsNotReadyError,
    NotFoundError,
    RunError,
    RunTimeout,
    SettingsError,
)


def width_of(item: Item) -> int:
    width: int = item.values[0]["value"]
    return width


def test_every_row_runs_once_and_leaves_its_file(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    batch = client.begin(Plan(range(100, 150)), tmp_path)
    rows = batch.results(60)
    assert [(row.index, row.status, row.values["Width"]) for row in rows] == [
        (n, "completed", 100 + n) for n in range(50)
    ]
    assert Counter(map(width_of, server.items.values())) == Counter(range(100, 150))
    for row in rows:
        (file,) = row.files
        content = image_content(row.images[0])
        assert file.path == tmp_path / f"{row.index:05d}.png"
        assert file.path.read_bytes() == content
        assert (file.sha256, file.bytes, file.node) == (hashlib.sha256(content).hexdigest(), len(content), "blank")
    lines = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert sorted(line["index"] for line in lines) == [*range(50)]
    assert lines[0].keys() >= {"row_id", "values", "server", "batch_id", "item_id", "attempts", "started_at", "error"}
    assert server.requests["enqueue_batch"] == 1
    assert repr(batch) == f"<BatchRun in {str(tmp_path)!r}: 100 % of 50 rows (50 completed)>"


def test_never_more_than_the_window_is_in_the_queue(server: BatchServer, client: Runs) -> None:
    batch = client.begin(Plan(range(100)), window=10)
    batch.wait(60)
    assert server.most_unfinished <= 10
    assert len(server.items) == 100
    assert 10 <= server.requests["enqueue_batch"] <= 20, "it is filled up when a third is left"
    assert server.requests.keys() == {"enqueue_batch", ""}, "events tell all the rest"


def test_a_queue_with_less_room_than_the_window(server: BatchServer, client: Runs) -> None:
    server.capacity = 10
    batch = client.begin(Plan(range(30)))
    assert {row.status for row in batch.results(60)} == {"completed"}
    assert Counter(map(width_of, server.items.values())) == Counter(range(30))
    assert all(row.item_id == row.index + 1 for row in batch.results())


def test_rows_of_several_graphs(server: BatchServer, client: Runs) -> None:
    plan = Plan(range(9), graphs=3)
    batch = client.begin(plan)
    assert [row.values["Width"] for row in batch.results(60)] == [*range(9)]
    assert (plan.prepared, server.requests["enqueue_batch"]) == (3, 3)


def test_a_failing_row_stops_no_other_one(server: BatchServer, client: Runs) -> None:
    server.fails = lambda item: f"told to fail at step {width_of(item)}" if width_of(item) % 4 == 0 else None
    batch = client.begin(Plan(range(1, 10)))
    assert batch.wait(60).counts["failed"] == 2
    assert [str(group) for group in batch.failures()] == ["2 rows: RuntimeError: told to fail at step"]
    (group,) = batch.failures()
    assert [row.error for row in group.rows] == [f"RuntimeError: told to fail at step {n}" for n in (4, 8)]

    server.fails = lambda item: None
    assert batch.retry_failed() == 2
    rows = batch.results(60)
    assert [row.attempts for row in rows] == [1, 1, 1, 2, 1, 1, 1, 2, 1]
    assert {row.status for row in rows} == {"completed"}
    assert batch.retry_failed() == 0


def test_failures_are_grouped_by_their_reason(server: BatchServer, client: Runs) -> None:
    errors = [
        "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has 3.00 GiB",
        "CUDA out of memory. Tried to allocate 40.00 MiB. GPU 0 has 1.00 GiB",
        "Image file '/data/images/71d64297-4d99-4ada-9269-45dd652073ae.png' not found",
    ]
    server.fails = lambda item: errors[width_of(item)]
    batch = client.begin(Plan(range(3)))
    batch.wait(60)
    assert [str(group) for group in batch.failures()] == [
        "2 rows: RuntimeError: CUDA out of memory",
        "1 row: RuntimeError: Image file … not found",
    ]


def test_it_stops_after_the_given_number_of_failures(server: BatchServer, client: Runs) -> None:
    server.fails = lambda item: "no" if width_of(item) < 5 else None
    batch = client.begin(Plan(range(1000)), window=10, stop_after_failures=3)
    with pytest.raises(RunError, match="stopped after 3 failed rows, the last with: RuntimeError: no"):
        batch.wait(60)
    assert batch.counts["failed"] >= 3
    assert batch.counts["pending"] >= 980, "what was not sent is not done"


def test_invalid_and_refused_rows_are_recorded(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    plan = Plan(range(4), bad=[1])
    plan.refused = {2: "the image file is gone"}
    rows = client.begin(plan, tmp_path).results(60)
    assert [row.status for row in rows] == ["completed", "invalid", "failed", "completed"]
    assert [row.error for row in rows[1:3]] == ["row 1, 'Width': it is too small", "the image file is gone"]
    assert len(server.items) == 2


def test_a_group_that_cannot_be_sent_fails_alone(server: BatchServer, client: Runs) -> None:
    class Unready(Plan):
        async def prepare(self, group: Any) -> Bodies:
            prepared = await super().prepare(group)
            if prepared.graph == 1:
                raise InputsNotReadyError("the model is gone")
            return prepared

    rows = client.begin(Unready(range(6), graphs=3)).results(60)
    assert [row.status for row in rows] == ["completed", "failed", "completed"] * 2
    assert rows[1].error == "InputsNotReadyError: the model is gone"


def test_an_error_that_all_rows_would_meet_stops_the_batch(client: Runs) -> None:
    class Refused(Plan):
        async def prepare(self, group: Any) -> Bodies:
            raise AuthenticationError("who are you?", status=401, method="POST", url="/")

    batch = client.begin(Refused(range(6)))
    with pytest.raises(AuthenticationError, match="who are you"):
        batch.wait(60)
    with pytest.raises(AuthenticationError, match="who are you"):
        [*batch.as_completed()]


def test_rows_are_reported_as_they_end(server: BatchServer, client: Runs) -> None:
    server.pause()
    batch = client.begin(Plan(range(5)))
    rows = batch.as_completed()
    assert batch.counts == {**dict.fromkeys(batch.counts, 0), "pending": 5}
    server.resume()
    assert sorted(row.index for row in rows) == [*range(5)]
    assert sorted(row.index for row in batch.as_completed()) == [*range(5)], "also to those who come late"


async def test_rows_are_reported_to_a_loop_as_they_end(server: BatchServer, client: Runs) -> None:
    server.pause()
    batch = client.begin(Plan(range(5))).aio
    asyncio.get_running_loop().call_soon(server.resume)
    assert sorted([row.index async for row in batch.as_completed()]) == [*range(5)]
    assert len(await batch.results()) == len(batch) == 5


@pytest.mark.parametrize("is_blocking", [True, False])
async def test_rows_that_end_just_before_the_batch_stops_are_reported(
    is_blocking: bool, server: BatchServer, client: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pause()
    server.fails = lambda item: "no"
    batch = client.begin(Plan(range(3)), stop_after_failures=3)
    looks = 0

    def late(sized: Sized) -> int:
        """Count, and let all rows end after the first look at those that have."""
        nonlocal looks
        found, looks = len(sized), looks + 1
        if looks == 1:
            server.resume()
            with pytest.raises(RunError, match="stopped after 3"):
                batch.wait(60)
        return found

    monkeypatch.setattr(batch_run, "len", late, raising=False)
    rows = batch.as_completed()
    told = [next(rows) if is_blocking else await anext(rows) for _ in range(3)]
    assert sorted(row.index for row in told) == [0, 1, 2]
    with pytest.raises(RunError, match="stopped after 3"):
        next(rows) if is_blocking else await anext(rows)


def test_waiting(server: BatchServer, client: Runs) -> None:
    server.pause()
    batch = client.begin(Plan(range(5)))
    assert batch.eta is None
    with pytest.raises(RunTimeout, match=r"has not ended after 0.05 s: 0 % of 5 rows \(5 pending\)"):
        batch.wait(0.05)
    told: list[BatchProgress] = []

    def tell(progress: BatchProgress) -> None:
        told.append(progress)
        server.resume()

    end = batch.wait(60, progress_callback=tell)
    assert (told[0].progress, told[0].eta, told[0].counts["pending"]) == (0, None, 5)
    assert told[-1] == end == BatchProgress(5, {**dict.fromkeys(end.counts, 0), "completed": 5}, 100, 0)
    assert [each.progress for each in told] == sorted(each.progress for each in told)


def test_rows_that_are_being_sent_are_not_done(server: BatchServer, client: Runs) -> None:
    may_store = threading.Event()

    async def hold() -> None:
        await asyncio.to_thread(may_store.wait, 60)

    server.before_storing = hold
    batch = client.begin(Plan(range(5)))
    while not server.arriving:
        time.sleep(0.01)
    seen = batch.progress
    may_store.set()
    assert seen == 0
    assert batch.wait(60).progress == 100


async def test_waiting_on_a_loop(server: BatchServer, client: Runs) -> None:
    server.pause()
    batch = client.begin(Plan(range(5))).aio
    with pytest.raises(RunTimeout):
        await batch.wait(0.05)

    async def tell(progress: BatchProgress) -> None:
        server.resume()

    assert (await batch.wait(60, progress_callback=tell)).progress == batch.progress == 100


def test_a_paused_batch_sends_nothing_more(server: BatchServer, client: Runs) -> None:
    server.pause()
    batch = client.begin(Plan(range(30)), window=10)
    with pytest.raises(RunTimeout):
        batch.wait(0.2)
    batch.pause()
    server.resume()
    rows = batch.as_completed()
    assert sorted(next(rows).index for _ in range(10)) == [*range(10)]
    assert (len(server.items), batch.is_over) == (10, False)
    batch.resume()
    assert len([*rows]) == 20


def test_a_canceled_batch_ends_with_all_rows_canceled(server: BatchServer, client: Runs) -> None:
    server.pause()
    batch = client.begin(Plan(range(30)), window=10)
    with pytest.raises(RunTimeout):
        batch.wait(0.2)
    batch.cancel()
    assert batch.wait(60).counts["canceled"] == 30
    assert {item.status for item in server.items.values()} == {"canceled"}
    assert len(server.items) == 10
    assert {row.error for row in batch.as_completed()} == {"canceled by this client"}


def test_ctrl_c_stops_the_sending(server: BatchServer, client: Runs) -> None:
    batch = client.begin(Plan(range(1000)), window=10)

    def interrupt(progress: BatchProgress) -> None:
        if progress.counts["completed"]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch.wait(60, progress_callback=interrupt)
    with pytest.raises(RunTimeout):
        batch.wait(0.3)
    assert len(server.items) < 1000
    batch.resume()
    assert batch.wait(60).counts["completed"] == 1000


def test_a_deleted_image_fails_its_row(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    server.deleted = {image_name(2), image_name(3)}
    batch = client.begin(Plan(range(5)), tmp_path)
    batch.wait(60)
    assert [str(group) for group in batch.failures()] == ["2 rows: image not found"]
    assert batch.retry_failed() == 2
    assert batch.wait(60).counts["completed"] == 5
    assert len([*tmp_path.glob("*.png")]) == 5


@pytest.mark.parametrize("images", ["none", "outputs", "all"])
def test_which_images_are_downloaded(images: str, server: BatchServer, client: Runs, tmp_path: Path) -> None:
    batch = client.begin(Plan(range(3)), tmp_path, images=images)
    batch.wait(60)
    assert len([*tmp_path.glob("*.png")]) == (0 if images == "none" else 3)
    assert [image.name for image in batch.images] == [*map(image_name, (1, 2, 3))]
    assert str(batch.images[0].node) == "blank"


def test_rows_as_plain_data(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    server.fails = lambda item: "one\ntwo" if width_of(item) == 1 else None
    batch = client.begin(Plan(range(2)), tmp_path / "out")
    batch.wait(60)
    first, second = batch.to_rows()
    assert first["files"][0]["path"] == "00000.png"
    assert (second["status"], second["error"], second["values"]) == ("failed", "RuntimeError: one", {"Width": 1})
    assert json.loads(json.dumps(batch.to_rows())) == batch.to_rows()
    path = batch.to_csv(tmp_path / "rows.csv")
    with path.open(encoding="utf-8", newline="") as file:
        lines = [*csv.DictReader(file)]
    assert [line["Width"] for line in lines] == ["0", "1"]
    assert [line["status"] for line in lines] == ["completed", "failed"]
    assert [line["files"] for line in lines] == ["00000.png", ""]


def test_cells_of_a_csv_file_can_be_read_again(tmp_path: Path) -> None:
    names = ("00000-a cub.png", "00000-a cub-2.png")
    files = tuple(RowFile(tmp_path / name, "", 1, "blur", name) for name in names)
    values = {"Prompt": '[a] "cub", \udc00', "LoRAs": [{"lora": "ink", "weight": 0.5}], "Steps": 8}
    row = BatchRow(index=0, row_id="ab", values=values, files=files, images=names)
    cells = csv_cells(row, ["Prompt", "LoRAs", "Steps"], tmp_path)
    assert (cells[0], json.loads(cells[1]), cells[2]) == tuple(values.values())
    assert cells[7].split("|") == cells[8].split("|") == [*names]


def test_text_of_the_server_is_no_formula_in_a_csv_file(tmp_path: Path) -> None:
    row = BatchRow(index=0, row_id="ab", values={"Steps": "=1+1"}, error='=HYPERLINK("http://a")', images=("-1.png",))
    cells = csv_cells(row, ["Steps"], tmp_path)
    # The value is the user's own, who wants to read it again.
    assert (cells[0], cells[4], cells[6]) == ("=1+1", '\'=HYPERLINK("http://a")', "'-1.png")


def test_a_canceled_batch_can_retry_what_has_failed(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    server.fails = lambda item: "no" if width_of(item) < 2 else None
    server.allow(5)
    batch = client.begin(Plan(range(9)), tmp_path)
    rows = batch.as_completed()
    for _ in range(5):
        next(rows)
    batch.cancel()
    assert batch.wait(60).counts["canceled"] == 4
    server.fails = lambda item: None
    server.resume()
    assert batch.retry_failed() == 2
    counts = batch.wait(60).counts
    assert (counts["completed"], counts["canceled"], counts["failed"]) == (5, 4, 0)


def test_the_report_of_a_batch(
    server: BatchServer, client: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    server.fails = lambda item: "it broke" if width_of(item) == 2 else None
    batch = client.begin(Plan(range(1, 4)), tmp_path, report=True)
    batch.wait(60)
    assert (tmp_path / "contact_sheet.png").read_bytes().startswith(b"\x89PNG")
    shown = "".join(path.read_text() for path in (tmp_path / "report").glob("rows-*.js"))
    assert all(text in shown for text in ("00000.png", "it broke", "00002.png"))
    assert batch.open_report() == tmp_path / "index.html"
    assert opened == [(tmp_path / "index.html").as_uri()]


def test_the_report_of_a_batch_goes_with_its_results(server: BatchServer, client: Runs, tmp_path: Path) -> None:
    client.begin(Plan(range(2)), tmp_path, report=True).wait(60)
    (tmp_path / "report" / "notes.txt").touch()
    batch = client.begin(Plan(range(2)), tmp_path, overwrite=True)
    batch.wait(60)
    kept = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert kept - {".batch/journal.jsonl", ".batch/lock", ".batch/plan.json"} == {
        *("manifest.jsonl", "00000.png", "00001.png", "report/notes.txt")
    }
    with pytest.raises(SettingsError, match="no report"):
        batch.open_report()


def test_a_report_needs_a_folder(client: Runs, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="A report needs a folder"):
        client.begin(Plan(range(3)), report=True)
    batch = client.begin(Plan(range(3)), tmp_path)
    batch.wait(60)
    with pytest.raises(SettingsError, match=r"has no report.*report=True"):
        batch.open_report()


@pytest.mark.parametrize(
    "option",
    [
        {"window": 0},
        {"window": "many"},
        {"images": "some"},
        {"stop_after_failures": 0},
        {"file_name": "x"},
        {"queue_id": ""},
        {"queue_id": "a/b"},
        {"queue_id": None},
    ],
)
def test_options_that_cannot_be_used(option: dict[str, Any], server: BatchServer, client: Runs) -> None:
    with pytest.raises(SettingsError):
        client.begin(Plan(range(3)), **option)
    assert not server.items


def test_a_batch_is_found_by_its_id(server: BatchServer, client: Runs) -> None:
    server.fails = lambda item: "no" if width_of(item) == 3 else None
    server.allow(5)
    first = client.begin(Plan(range(100, 108)), window=6)
    rows = first.as_completed()
    for _ in range(5):
        next(rows)
    with client_of(server.url) as other:
        batch = other.found(first.batch_id)
        assert 3 <= len(batch) <= 8
        server.resume()
        found = batch.results(60)
        assert [row.values for row in found] == [{"blank.width": 100 + n} for n in range(len(batch))]
        assert {row.status for row in found} == {"completed"}
        with pytest.raises(SettingsError, match="the plan is unknown"):
            batch.retry_failed()
        with pytest.raises(NotFoundError, match="has no items of batch 'nothing'"):
            other.found("nothing")
    assert first.wait(60).counts["completed"] == 8


def test_a_closed_client_ends_the_wait(server: BatchServer, client: Runs) -> None:
    server.pause()
    batch = client.begin(Plan(range(5)))

    def close(progress: BatchProgress) -> None:
        client.close()

    with pytest.raises(Exception, match="closed"):
        batch.wait(60, progress_callback=close)
