"""What a fleet tells of its servers, against small servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any
from uuid import uuid4

import pytest
from tests.support.fleet_servers import QueueOf, ago, another_page, fail, hang, hang_up, refuse_token
from tests.support.serving import Handler, serving

from invokeai_py_client.errors import ProcessorStoppedError, SettingsError
from invokeai_py_client.fleet.agent import ServerAgent
from invokeai_py_client.fleet.devices import devices_in_use
from invokeai_py_client.fleet.fleet import Fleet
from invokeai_py_client.fleet.server import Server
from invokeai_py_client.fleet.status import AskStatus, FleetStatus, ServerStatus, StatusReader
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.http import HttpTransport

REFUSES = "http://127.0.0.1:9"

ROW = f"{uuid4()}-0123abcd-00017"
"""The id of a batch in the queue that is a row of a batch, or some rows of it."""


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INVOKEAI_URL", "INVOKEAI_TOKEN", "INVOKEAI_EMAIL", "INVOKEAI_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


async def fleet_of(*handlers: Handler, **options: Any) -> FleetStatus:
    async with contextlib.AsyncExitStack() as opened:
        servers = [Server(await opened.enter_async_context(serving(handler))) for handler in handlers]
        with StatusReader(servers, **options) as reader:
            return await asyncio.to_thread(reader.read)


async def status_of(handler: Handler, **options: Any) -> ServerStatus:
    (status,) = await fleet_of(handler, **options)
    return status


@pytest.mark.parametrize(
    ("handler", "state", "version", "said"),
    [
        (hang, "silent", None, "did not respond within 0.2 s"),
        (refuse_token, "not_allowed", "6.14.2", "401"),
        (another_page, "not_invokeai", None, "html"),
        (fail, "failed", None, "500"),
        (hang_up, "unreachable", None, "connection broke"),
    ],
)
async def test_what_keeps_a_server_from_being_used(
    handler: Handler, state: str, version: str | None, said: str
) -> None:
    status = await status_of(handler, timeout=0.2 if handler is hang else 5.0)
    assert (status.state, status.version, status.is_usable) == (state, version, False)
    assert said in str(status.error)
    assert (status.pending, status.others, status.rows_per_hour) == (None, None, None)


def test_a_server_that_is_not_there() -> None:
    with StatusReader([Server(REFUSES, name="gone")]) as reader:
        (gone,) = reader.read()
    assert (gone.name, gone.url, gone.state) == ("gone", REFUSES, "refused")


async def test_one_that_hangs_delays_nothing_beyond_the_limit() -> None:
    began = time.monotonic()
    fleet = await fleet_of(hang, QueueOf().answer, hang, timeout=0.4)
    assert time.monotonic() - began < 20
    assert [server.state for server in fleet] == ["silent", "ready", "silent"]
    assert (len(fleet), fleet.usable, fleet.slots) == (3, 1, 2)


async def test_a_server_at_work() -> None:
    server = QueueOf(loaded={"sd-1:main:dream:unet": 5, "sd-1:main:dream:vae": 2, "any:vae:a:b:": 1})
    server.ended("completed", began=7300, ended=7200)
    for seconds in (100, 80, 60, 40):
        server.ended("completed", began=seconds, ended=seconds - 20)
    server.ended("failed", began=20, ended=19, error_type="OutOfMemoryError", error_message="CUDA out of memory")
    server.add("in_progress", batch=ROW)
    server.add("in_progress")
    for _ in range(3):
        server.add("pending", batch=ROW)
    status = await status_of(server.answer)
    assert (status.state, status.version, status.error) == ("busy", "6.14.2", None)
    assert status.devices == {"cuda:0": "RTX 4090", "cuda:1": "RTX 3090"}
    assert (status.slots, status.models) == (2, ("dream", "a:b"))
    assert (status.pending, status.in_progress, status.own, status.others) == (3, 2, 4, 1)
    # Four in the last 100 s; the one of two hours ago does not count.
    assert status.rows_per_hour == pytest.approx(4 * 36, rel=0.02)
    assert (status.failed, status.last_failure) == (1, "OutOfMemoryError: CUDA out of memory")


async def test_called_workflows_are_not_rows_of_their_own() -> None:
    server = QueueOf()
    parent = server.ended("completed", began=100, ended=1)
    server.ended("completed", began=90, ended=50, parent_item_id=parent)
    status = await status_of(server.answer)
    assert status.rows_per_hour == pytest.approx(36, rel=0.05)


async def test_an_idle_server_has_done_nothing_in_the_last_hour() -> None:
    server = QueueOf(is_processing=False)
    server.ended("completed", began=7300, ended=7200)
    status = await status_of(server.answer)
    assert (status.state, status.rows_per_hour, status.failed, status.last_failure) == ("ready", 0.0, 0, None)
    assert (status.own, status.others) == (0, 0)


async def test_rows_of_other_batches_are_others_to_a_fleet() -> None:
    server = QueueOf()
    server.add("in_progress", batch="mine-1")
    # A workflow that the row calls is of the same batch.
    server.add("in_progress", batch="mine-1", parent_item_id=1)
    server.add("pending", batch=ROW)
    engine = Engine("agent")
    async with serving(server.answer) as url:
        status = await ServerAgent(Settings(url), engine).answer(AskStatus(["mine"]))
        await engine.aclose()
    assert isinstance(status, ServerStatus)
    assert (status.state, status.own, status.others) == ("busy", 2, 1)


@pytest.mark.parametrize(
    ("took", "runs_for", "state"), [(20, 150, "ready"), (20, 250, "slow"), (1, 50, "ready"), (1, 70, "slow")]
)
async def test_a_slow_server(took: float, runs_for: float, state: str) -> None:
    server = QueueOf()
    for _ in range(5):
        server.ended("completed", began=600 + took, ended=600)
    server.add("in_progress", batch=ROW, started_at=ago(runs_for))
    status = await status_of(server.answer)
    assert (status.state, status.is_usable) == (state, True)


async def test_times_are_compared_by_the_clock_of_the_server() -> None:
    server = QueueOf(behind=600)
    for _ in range(10):
        server.ended("completed", began=600 + 100, ended=600 + 90)
    server.add("in_progress", batch=ROW, started_at=ago(600 + 50))
    status = await status_of(server.answer)
    assert status.state == "ready"
    assert status.rows_per_hour == pytest.approx(360, rel=0.05)


async def test_a_first_item_is_not_slow() -> None:
    server = QueueOf()
    server.add("in_progress", batch=ROW, started_at=ago(3000))
    assert (await status_of(server.answer)).state == "ready"


async def test_in_a_very_long_queue_nobody_is_told_apart() -> None:
    server = QueueOf()
    server.ended("completed", began=20, ended=10)
    for _ in range(901):
        server.add("pending")
    status = await status_of(server.answer)
    assert (status.state, status.pending, status.own, status.others) == ("ready", 901, None, None)
    assert (status.rows_per_hour or 0) > 0


async def test_a_paused_queue() -> None:
    server = QueueOf(is_started=False, is_processing=False)
    server.add("pending")
    status = await status_of(server.answer)
    assert (status.state, status.is_usable) == ("paused", True)


async def test_a_server_that_runs_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invokeai_py_client.fleet.status.CONFIRMED_AFTER", 0.01)
    monkeypatch.setattr("invokeai_py_client.live.processor.CONFIRMED_AFTER", 0.01)
    server = QueueOf(is_processing=False)
    server.add("in_progress")
    # The item that is in progress cannot be read: the server answers 500.
    status = await status_of(server.answer)
    assert (status.state, status.is_usable) == ("stopped", False)
    assert isinstance(status.error, ProcessorStoppedError)


@pytest.mark.parametrize(
    ("config", "devices"),
    [
        ({"generation_devices": ["cuda:1"], "device": "auto"}, {"cuda:1": "RTX 3090"}),
        ({"generation_devices": ["cuda:7"], "device": "auto"}, {"cuda:7": "cuda:7"}),
        ({"generation_devices": "auto", "device": "cuda:0"}, {"cuda:0": "RTX 4090"}),
        ({"device": "auto"}, {"cuda:0": "RTX 4090", "cuda:1": "RTX 3090"}),
    ],
)
async def test_the_devices_that_it_uses(config: dict[str, Any], devices: dict[str, str]) -> None:
    status = await status_of(QueueOf(config=config).answer)
    assert (status.devices, status.slots) == (devices, len(devices))


async def test_what_others_than_administrators_are_not_told() -> None:
    status = await status_of(QueueOf(forbidden=["stats", "runtime_config"]).answer)
    assert (status.state, status.models, len(status.devices or ())) == ("ready", None, 2)


@pytest.mark.parametrize(
    ("forbidden", "devices", "are_certain"),
    [((), 2, True), (["runtime_config"], 2, False), (["runtime_config"], 1, True)],
)
async def test_whether_it_is_certain_which_devices_are_used(
    forbidden: list[str], devices: int, are_certain: bool
) -> None:
    server = QueueOf(forbidden=forbidden, devices=[(f"cuda:{number}", "RTX 4090") for number in range(devices)])
    engine = Engine("devices")
    async with serving(server.answer) as url:
        found = await engine.call(devices_in_use(HttpTransport(Settings(url), engine)))
        await engine.aclose()
    assert (len(found.names), found.are_certain) == (devices, are_certain)


async def test_an_older_server() -> None:
    server = QueueOf(missing=["generation_device_options", "item_summaries_by_ids"])
    server.ended("completed", began=100, ended=90)
    status = await status_of(server.answer)
    assert (status.state, status.devices, status.slots) == ("ready", {}, 1)
    assert status.rows_per_hour == pytest.approx(36, rel=0.05)


async def test_slots_that_the_user_gives_count() -> None:
    async with serving(QueueOf().answer) as url:
        with StatusReader([Server(url, slots=5)]) as reader:
            (status,) = await asyncio.to_thread(reader.read)
    assert status.slots == 5


async def test_what_does_not_change_is_asked_once_until_the_server_goes_away() -> None:
    server = QueueOf()
    server.ended("failed", began=20, ended=19, error_message="boom")
    async with serving(server.answer) as url:
        with StatusReader([Server(url)]) as reader:
            await asyncio.to_thread(reader.read)
            first = server.asked.copy()
            server.asked.clear()
            (again,) = await asyncio.to_thread(reader.read)
    assert again.last_failure == "boom"
    once = {"v1/app/version", "v1/app/runtime_config", "v1/app/generation_device_options"}
    assert {*first} - {*server.asked} == once | {"v1/queue/default/items_by_ids"}
    assert len(server.asked) == 4


async def test_a_server_that_comes_back_is_asked_anew() -> None:
    server = QueueOf()
    async with serving(server.answer) as url:
        reader = StatusReader([Server(url)])
        states = [one.state for one in await asyncio.to_thread(reader.read)]
    with reader:
        states += [one.state for one in await asyncio.to_thread(reader.read)]
        server.devices = [("cpu", "CPU")]
        async with serving(server.answer, port=int(url.rpartition(":")[2])):
            (status,) = await asyncio.to_thread(reader.read)
    assert [*states, status.state] == ["ready", "refused", "ready"]
    assert status.devices == {"cpu": "CPU"}


def test_a_fleet_is_the_sum_of_its_servers() -> None:
    def one(state: Any, **more: Any) -> ServerStatus:
        return ServerStatus(name="a", url="http://a", state=state, **more)

    fleet = FleetStatus(
        (
            one("ready", slots=2, pending=3, in_progress=2, rows_per_hour=100.0),
            one("paused", slots=1, pending=1, in_progress=0, rows_per_hour=20.0),
            one("refused", slots=4),
        )
    )
    assert (fleet.usable, fleet.slots, fleet.pending, fleet.in_progress) == (2, 3, 4, 2)
    assert fleet.rows_per_hour == 120.0


async def test_a_fleet_tells_of_its_servers_by_their_names() -> None:
    server = QueueOf()
    server.add("pending", batch="of-another-client")
    async with serving(server.answer) as url, Fleet([Server(url, name="gpu1", slots=3), REFUSES]) as fleet:
        there, gone = await fleet.aio.status()
    assert (there.name, there.state, there.slots, there.own, there.others) == ("gpu1", "busy", 3, 0, 1)
    assert (gone.name, gone.state) == (REFUSES, "refused")


async def test_a_time_limit_must_be_a_time() -> None:
    async with Fleet([REFUSES]) as fleet:
        with pytest.raises(SettingsError, match="`timeout`"):
            await fleet.aio.status(timeout=0)


async def test_workers_of_a_dask_cluster_tell_of_their_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import Scheduler, Worker

    async with (
        serving(QueueOf().answer) as url,
        Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler,
    ):
        monkeypatch.setenv("INVOKEAI_URL", url)
        async with (
            Worker(scheduler.address, nthreads=4, dashboard_address="127.0.0.1:0", memory_limit=0),
            Fleet.connect(scheduler.address) as fleet,
        ):
            (status,) = await fleet.aio.status()
    assert (status.name, status.url, status.state, status.slots) == (url, url, "ready", 4)
