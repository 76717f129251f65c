"""Batches on two real servers: on a cluster in this process, and on one that a user has started."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from tests.documents import HUE_AND_BLUR

from invokeai_py_client import Fleet, InvokeAIClient, Plan, QueueItemRecord, WorkflowDefinition
from invokeai_py_client.local import LocalServer

PYTHON = sys.executable


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def servers(second_server: LocalServer, server: LocalServer) -> list[LocalServer]:
    """Two running servers with empty queues, of which a test may kill the first."""
    second_server.start()
    for each in (second_server, server):
        with InvokeAIClient.from_url(each.url) as client:
            client.queue.clear()
    return [second_server, server]


@pytest.fixture
def urls(servers: list[LocalServer]) -> list[str]:
    return [server.url for server in servers]


def wait_for(address: str) -> None:
    """Wait until a program accepts connections, for two minutes at most."""
    host, port = address.removeprefix("tcp://").split(":")
    until = time.monotonic() + 120
    while True:
        try:
            return socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.2)


@contextlib.contextmanager
def fleet_in_this_process(urls: list[str], folder: Path) -> Iterator[Fleet]:
    with Fleet(urls) as fleet:
        yield fleet


@contextlib.contextmanager
def fleet_on_a_cluster(urls: list[str], folder: Path) -> Iterator[Fleet]:
    """A fleet on a Dask scheduler and two workers, which are processes of their own."""
    address = f"tcp://127.0.0.1:{free_port()}"
    command = [PYTHON, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", address.split(":")[-1]]
    programs = [subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.DEVNULL)]
    try:
        for number, url in enumerate(urls):
            command = [PYTHON, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard"]
            command += ["--nthreads", "1", "--local-directory", str(folder / f"worker-{number}")]
            environment = {**os.environ, "INVOKEAI_URL": url}
            programs.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
        wait_for(address)
        with Fleet.connect(address) as fleet:
            yield fleet
    finally:
        for program in programs:
            program.kill()
            program.wait()


FLEETS = [fleet_in_this_process, fleet_on_a_cluster]


def plan_of(url: str, sleep: dict[str, Any], seconds: list[float]) -> Plan:
    """Return a plan of rows that sleep."""
    with InvokeAIClient.from_url(url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
        return wf.plan({"Seconds": seconds})


def completed_on(url: str) -> list[QueueItemRecord]:
    """Return the rows that were run to their end, as the server remembers."""
    with InvokeAIClient.from_url(url) as client:
        return [item for item in client.queue.list_all() if item.status == "completed"]


def seconds_of(urls: list[str]) -> float:
    """Return the seconds from the start of the first row to the end of the last one, by the servers' clocks."""
    done = [item for url in urls for item in completed_on(url)]
    began = min(datetime.fromisoformat(item.started_at or "") for item in done)
    return (max(datetime.fromisoformat(item.completed_at or "") for item in done) - began).total_seconds()


@pytest.mark.parametrize("make_fleet", FLEETS)
def test_a_server_is_killed_and_comes_back(
    make_fleet: Callable[..., Any],
    servers: list[LocalServer],
    urls: list[str],
    sleep: dict[str, Any],
    tmp_path: Path,
) -> None:
    first, second = servers
    # The rows after the restart take longer, so that there is work left when the server is known to be up.
    seconds = [0.3 + index / 1000 + (0.7 if index > 26 else 0) for index in range(40)]
    plan = plan_of(second.url, sleep, seconds)
    with make_fleet(urls, tmp_path) as fleet:
        batch = fleet.submit(plan, folder=tmp_path / "out")
        for number, row in enumerate(batch.as_completed(), 1):
            assert row.status == "completed", row.error
            if number == 13:
                first.kill()
            elif number == 26:
                # However long the start takes, the other server has rows left, and takes none of the lost ones.
                batch.pause()
                first.start()
                batch.resume()
        assert batch.counts["completed"] == 40
    done = Counter(item["field_values"][0]["value"] for url in urls for item in completed_on(url))
    assert done == Counter(seconds)
    lines = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert sorted(line["index"] for line in lines) == [*range(40)]
    assert {line["server"] for line in lines} == set(urls)


def test_two_servers_share_the_rows_and_run_them_at_the_same_time(urls: list[str], sleep: dict[str, Any]) -> None:
    seconds = [0.7 + index / 1000 for index in range(16)]
    for url in urls:
        with InvokeAIClient.from_url(url) as client:
            client.queue.clear()
    with Fleet(urls) as fleet:
        assert fleet.submit(plan_of(urls[0], sleep, seconds)).wait(120).counts["completed"] == 16
    # About half each: the faster one takes rows from the other.
    assert all(len(completed_on(url)) >= 4 for url in urls)
    assert seconds_of(urls) < sum(seconds)


@pytest.mark.parametrize("make_fleet", FLEETS)
def test_local_images_are_uploaded_once_to_each_server_that_needs_them(
    make_fleet: Callable[..., Any], urls: list[str], tmp_path: Path
) -> None:
    def uploaded(url: str) -> int:
        with InvokeAIClient.from_url(url) as client:
            return len(client.image_repo.list_image_names(origin="external"))

    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        PIL.Image.new("RGB", (64, 64), (80 * number, 40, 200)).save(photos / f"{number}.png")
    with InvokeAIClient.from_url(urls[0]) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(HUE_AND_BLUR))
        plan = wf.plan({"Image": photos, "Hue": [0, 90, 180, 270]})
    before = [uploaded(url) for url in urls]
    with make_fleet(urls, tmp_path) as fleet:
        batch = fleet.submit(plan, folder=tmp_path / "out")
        assert batch.wait(60).counts["completed"] == 12, batch.failures()
        servers = {row.server for row in batch.results()}
        saved = {file.path.read_bytes() for row in batch.results() for file in row.files}
        assert {image.bytes() for image in batch.images} == saved
    assert servers == set(urls)
    assert all(1 <= uploaded(url) - count <= 3 for url, count in zip(urls, before, strict=True))
    assert len({PIL.Image.open(path).tobytes() for path in (tmp_path / "out").glob("*.png")}) == 12
