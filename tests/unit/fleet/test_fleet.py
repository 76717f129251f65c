"""Fleets of servers in memory, on a Dask cluster in this process."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.documents import BLANK
from tests.support.batch_server import BatchServer, image_content
from tests.unit.notebook.conftest import bundle_of

from invokeai_py_client import Fleet, InvokeAIClient, Plan, Server, WorkflowDefinition
from invokeai_py_client.batch import recovery
from invokeai_py_client.errors import BatchFolderError, NotFoundError, SettingsError, TransportError
from invokeai_py_client.fleet import health
from invokeai_py_client.live.enqueue import EnqueueTimes
from invokeai_py_client.transport import backoff


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for what may be on its way, and for a server that is away."""
    monkeypatch.setattr(recovery, "TIMES", EnqueueTimes(grace=0.05, grace_per_item=0))
    monkeypatch.setattr(backoff, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(health, "LOOKS_EVERY", 0.05)
    monkeypatch.setattr(health, "DEAD_AFTER", 0.1)


@pytest.fixture
def servers() -> Iterator[tuple[BatchServer, BatchServer]]:
    with BatchServer() as first, BatchServer() as second:
        yield first, second


@pytest.fixture
def urls(servers: tuple[BatchServer, BatchServer]) -> list[str]:
    return [server.url for server in servers]


def plan_of(owner: Fleet | InvokeAIClient, widths: range) -> Plan:
    definition = WorkflowDefinition.from_dict(BLANK)
    wf = owner.workflow(definition) if isinstance(owner, Fleet) else owner.workflow_repo.create_workflow(definition)
    return wf.plan({"Width": widths})


def widths_of(servers: tuple[BatchServer, BatchServer], status: str = "completed") -> Counter[int]:
    """Return how many items have a status, by the width of their row."""
    return Counter(item.values[0]["value"] for server in servers for item in server.having(status))


def until(is_so: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it has not happened in time"
        time.sleep(0.005)


def test_a_plan_runs_on_all_servers(servers: tuple[BatchServer, BatchServer], urls: list[str], tmp_path: Path) -> None:
    with Fleet([urls[0], Server(urls[1], slots=2)]) as fleet:
        assert [server.url for server in fleet.servers] == urls
        batch = fleet.submit(plan_of(fleet, range(8, 168, 8)), folder=tmp_path)
        rows = [*batch.as_completed()]
        assert batch.wait(30).counts["completed"] == 20
        assert {image.name for image in batch.images} == {name for row in rows for name in row.images}
    assert widths_of(servers) == Counter(range(8, 168, 8))
    assert sum(server.requests["enqueue_batch"] for server in servers) == 20
    assert sum(server.requests["batch_status"] for server in servers) == 0
    assert {row.server for row in rows} == set(urls)
    for row in rows:
        (file,) = row.files
        assert file.path.read_bytes() == image_content(row.images[0])
    assert len({row.files[0].path for row in rows}) == 20


async def test_a_fleet_can_be_awaited(urls: list[str]) -> None:
    async with Fleet(urls) as fleet:
        wf = await fleet.aio.workflow(WorkflowDefinition.from_dict(BLANK))
        batch = await fleet.aio.submit(await wf.plan({"Width": range(8, 48, 8)}))
        assert (await batch.wait(30)).counts["completed"] == 5


def test_a_batch_goes_on_in_its_folder(
    servers: tuple[BatchServer, BatchServer], urls: list[str], tmp_path: Path
) -> None:
    for server in servers:
        server.pause()
    with Fleet(urls) as fleet:
        fleet.submit(plan_of(fleet, range(8, 88, 8)), folder=tmp_path)
        until(lambda: sum(widths_of(servers, "pending").values()) == 4)
    for server in servers:
        server.resume()
    with Fleet(urls) as fleet:
        batch = fleet.batch_run(tmp_path)
        assert batch.wait(30).counts["completed"] == 10
    assert widths_of(servers) == Counter(range(8, 88, 8))


def test_a_batch_goes_on_with_one_server(
    servers: tuple[BatchServer, BatchServer], urls: list[str], tmp_path: Path
) -> None:
    servers[0].allow(2)
    with Fleet(urls[:1]) as fleet:
        fleet.submit(plan_of(fleet, range(8, 88, 8)), folder=tmp_path)
        until(lambda: len(servers[0].items) == 4)
    servers[0].resume()
    with InvokeAIClient.from_url(urls[0]) as client:
        batch = client.batch_run(tmp_path)
        assert batch.wait(30).counts["completed"] == 10
    assert widths_of(servers) == Counter(range(8, 88, 8))


def test_a_batch_of_one_server_goes_on_with_a_fleet(
    servers: tuple[BatchServer, BatchServer], urls: list[str], tmp_path: Path
) -> None:
    servers[0].allow(3)
    with InvokeAIClient.from_url(urls[0]) as client:
        plan = plan_of(client, range(8, 88, 8))
        plan.submit(folder=tmp_path, window=6)
        until(lambda: len(servers[0].items) == 6)
    with Fleet(urls) as fleet:
        batch = fleet.submit(plan, folder=tmp_path)
        # What waits at the server is canceled, and runs anew.
        until(lambda: len(servers[0].having("canceled")) == 3)
        servers[0].resume()
        assert batch.wait(30).counts["completed"] == 10
    assert widths_of(servers) == Counter(range(8, 88, 8))


def test_rows_in_the_queue_of_a_server_that_left_the_fleet_are_run_again(
    servers: tuple[BatchServer, BatchServer], urls: list[str], tmp_path: Path
) -> None:
    servers[0].pause()
    with Fleet(urls[:1]) as fleet:
        plan = plan_of(fleet, range(8, 88, 8))
        fleet.submit(plan, folder=tmp_path)
        until(lambda: len(servers[0].items) == 2)
    with Fleet(urls[1:]) as fleet:
        assert fleet.submit(plan, folder=tmp_path).wait(30).counts["completed"] == 10
    assert widths_of(servers) == Counter(range(8, 88, 8))
    assert {row["server"] for row in manifest(tmp_path)} == {urls[1]}


def test_a_server_that_only_a_folder_names_is_not_asked_for_its_images(
    servers: tuple[BatchServer, BatchServer], urls: list[str], tmp_path: Path
) -> None:
    with Fleet(urls[:1]) as fleet:
        fleet.submit(plan_of(fleet, range(8, 24, 8)), folder=tmp_path).wait(30)
    servers[0].requests.clear()
    with Fleet(urls[1:]) as fleet:
        batch = fleet.batch_run(tmp_path)
        assert "2 completed" in bundle_of(batch)["text/plain"]
        image = batch.images[0]
        for ask in (image.bytes, image.refresh, lambda: image.save(tmp_path / "saved")):
            with pytest.raises(NotFoundError, match=f"ran on {urls[0]!r}, which is not in the fleet") as caught:
                ask()
            assert "row.files" in caught.value.hint
        assert batch.images == [image, batch.images[1]]
    assert not servers[0].requests
    assert servers[1].requests["images"] == servers[1].requests["i"] == 0


def manifest(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


def test_an_earlier_batch_is_overwritten(
    servers: tuple[BatchServer, BatchServer], urls: list[str], tmp_path: Path
) -> None:
    for server in servers:
        server.pause()
    with Fleet(urls) as fleet:
        fleet.submit(plan_of(fleet, range(8, 88, 8)), folder=tmp_path)
        until(lambda: sum(widths_of(servers, "pending").values()) == 4)
    with Fleet(urls) as fleet:
        batch = fleet.submit(plan_of(fleet, range(8, 24, 8)), folder=tmp_path, overwrite=True)
        assert sum(widths_of(servers, "canceled").values()) == 4
        for server in servers:
            server.resume()
        assert batch.wait(30).counts["completed"] == 2
    assert len(manifest(tmp_path)) == 2


def test_a_canceled_batch_is_canceled_on_all_servers(servers: tuple[BatchServer, BatchServer], urls: list[str]) -> None:
    for server in servers:
        server.pause()
    with Fleet(urls) as fleet:
        batch = fleet.submit(plan_of(fleet, range(8, 88, 8)))
        until(lambda: sum(widths_of(servers, "pending").values()) == 4)
        batch.cancel()
        assert batch.wait(30).counts["canceled"] == 10
    assert sum(widths_of(servers, "canceled").values()) == 4


def test_a_server_that_is_restarted_goes_on(
    servers: tuple[BatchServer, BatchServer], urls: list[str], tmp_path: Path
) -> None:
    first, second = servers
    for server in servers:
        server.allow(2)
    with Fleet(urls) as fleet:
        batch = fleet.submit(plan_of(fleet, range(8, 168, 8)), folder=tmp_path)
        until(lambda: batch.counts["completed"] == 4 and len(first.having("pending")) == 2)
        first.kill()
        first.having("pending")[0].status = "in_progress"
        time.sleep(0.3)
        first.restart()
        first.resume()
        # Else the other one would have run everything before it is seen that this one is back.
        until(lambda: len(first.having("completed")) > 4)
        second.resume()
        assert batch.wait(30).counts["completed"] == 20
    assert widths_of(servers) == Counter(range(8, 168, 8))


def test_images_that_are_gone_fail_their_rows(
    servers: tuple[BatchServer, BatchServer], urls: list[str], tmp_path: Path
) -> None:
    servers[0].deleted = {"00000002-0000-4000-8000-000000000000.png"}
    with Fleet(urls[:1]) as fleet:
        batch = fleet.submit(plan_of(fleet, range(8, 32, 8)), folder=tmp_path)
        assert batch.wait(30).counts["failed"] == 1
        (failed,) = [row for row in batch.results() if row.status == "failed"]
    assert failed.error is not None
    assert "image not found: 00000002" in failed.error


def test_a_fleet_says_what_is_wrong_with_it(urls: list[str], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least one server"):
        Fleet([])
    with pytest.raises(SettingsError, match="given twice"):
        Fleet([urls[0], Server(urls[0], slots=2)])
    with Fleet(["http://127.0.0.1:9"]) as fleet:
        with pytest.raises(TransportError, match="No server of the fleet responds"):
            fleet.workflow(WorkflowDefinition.from_dict(BLANK))
        with InvokeAIClient.from_url(urls[0]) as client:
            plan = plan_of(client, range(8, 24, 8))
        with pytest.raises(TransportError, match="No server of the fleet can be used"):
            fleet.submit(plan)
        with pytest.raises(SettingsError, match="folder must have a name"):
            fleet.submit(plan, folder="")
        with pytest.raises(SettingsError, match="folder must have a name"):
            fleet.batch_run("")


def test_two_batches_do_not_share_a_folder(
    servers: tuple[BatchServer, BatchServer], urls: list[str], tmp_path: Path
) -> None:
    servers[0].pause()
    with Fleet(urls[:1]) as fleet:
        plan = plan_of(fleet, range(8, 24, 8))
        batch = fleet.submit(plan, folder=tmp_path)
        with pytest.raises(BatchFolderError, match="is in use"):
            fleet.submit(plan, folder=tmp_path)
        servers[0].resume()
        assert batch.wait(30).counts["completed"] == 2
