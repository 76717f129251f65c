"""What networks do, one by one: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from tests.faults.conftest import Told, check_all_there_once
from tests.faults.proxy import FaultProxy

from invokeai_py_client import InvokeAIClient, Run, WorkflowDefinition, WorkflowHandle, errors
from invokeai_py_client.live import reconciler
from invokeai_py_client.transport import socketio_connection

Work = Callable[..., WorkflowHandle]


def submit_and_wait(client: InvokeAIClient, work: Work, count: int = 4) -> str:
    runs = [work().submit_sync() for _ in range(count)]
    return check_all_there_once(client, runs, [run.wait(60) for run in runs])


def test_connections_are_refused_for_ten_seconds(
    proxy: FaultProxy, through: InvokeAIClient, client: InvokeAIClient, work: Work, told: Told
) -> None:
    changes: list[str] = []
    through.on_connection(lambda change: changes.append(change.state))
    runs = [work(steps=4, seconds=0.5).submit_sync() for _ in range(4)]
    proxy.down()
    time.sleep(10)
    proxy.up()
    ends = [run.wait(60) for run in runs]
    outcome = check_all_there_once(client, runs, ends)
    assert [state for state in changes if state == "disconnected"] == ["disconnected"]
    told("connections refused for 10 s", outcome)


def test_a_submission_waits_out_a_short_refusal(
    proxy: FaultProxy, client: InvokeAIClient, work: Work, told: Told
) -> None:
    wf = work()
    proxy.down()
    back = threading.Timer(1.5, proxy.up)
    back.start()
    try:
        run = wf.submit_sync()
    finally:
        back.join()
    told("connections refused when it submits (1.5 s)", check_all_there_once(client, [run], [run.wait(60)]))


@pytest.mark.parametrize(
    ("action", "what"),
    [
        ("swallow", "the enqueue's answer is swallowed after the server stored it"),
        ("drop", "the enqueue is swallowed before the server stored it"),
        ("cut", "the enqueue's answer is cut in its middle"),
        ("502", "502 for the enqueue"),
        ("503", "503 for the enqueue"),
        ("429", "429 for the enqueue"),
        ("stored 500", "500 for the enqueue after the server stored it"),
        ("stored 507", "507 for the enqueue after the server stored it"),
        ("stored 520", "520 for the enqueue after the server stored it"),
        ("stored 524", "524 for the enqueue after the server stored it"),
        ("stored 408", "408 for the enqueue after the server stored it"),
        ("stored 409", "409 for the enqueue after the server stored it"),
        ("stored 425", "425 for the enqueue after the server stored it"),
        ("stored html", "a web page for the enqueue after the server stored it"),
        ("late 503", "503 for the enqueue, and the server stores it afterwards"),
        ("late 429", "429 for the enqueue, and the server stores it afterwards"),
    ],
)
def test_an_enqueue_is_exactly_once(
    action: str, what: str, proxy: FaultProxy, client: InvokeAIClient, work: Work, told: Told
) -> None:
    handles = [work() for _ in range(3)]
    proxy.next("enqueue_batch", action, 3)
    with ThreadPoolExecutor(3) as pool:
        runs = [*pool.map(lambda wf: wf.submit_sync(), handles)]
    assert proxy.done[action] == 3
    told(f"{what}, 3 times", check_all_there_once(client, runs, [run.wait(60) for run in runs]))


@pytest.mark.parametrize("action", ["swallow", "503", "stored 503"])
def test_a_deletion_whose_response_is_lost_succeeds(
    action: str, proxy: FaultProxy, through: InvokeAIClient, client: InvokeAIClient, told: Told
) -> None:
    board = client.board_repo.create_board("to be deleted")
    proxy.next("DELETE /api/v1/boards/", action, 2)
    through.board_repo.delete_board(board.board_id)
    assert proxy.done[action] == 2
    assert board.board_id not in {one.board_id for one in client.board_repo.list_boards()}
    told(f"a deletion meets {action}, twice", "deleted, no error")


@pytest.mark.parametrize("action", ["swallow", "drop"])
def test_the_question_after_a_lost_enqueue_is_lost_as_well(
    action: str, proxy: FaultProxy, client: InvokeAIClient, work: Work, told: Told
) -> None:
    wf = work()
    proxy.next("enqueue_batch", action)
    # More often than one request is sent again.
    proxy.next("/status", "503", 5)
    run = wf.submit_sync()
    assert proxy.done == {action: 1, "503": 5}
    told(
        f"an enqueue meets {action}, and the question after it 503, 5 times",
        check_all_there_once(client, [run], [run.wait(60)]),
    )


@pytest.mark.parametrize("status", ["502", "503", "429"])
def test_bursts_of_bad_statuses(
    status: str, proxy: FaultProxy, through: InvokeAIClient, client: InvokeAIClient, work: Work, told: Told
) -> None:
    wf = work()
    proxy.next("/api/", status, 3)
    run = wf.submit_sync()
    told(f"a burst of {status}", check_all_there_once(client, [run], [run.wait(60)]))


def test_an_answer_is_cut_in_its_middle(
    proxy: FaultProxy, through: InvokeAIClient, work: Work, client: InvokeAIClient, told: Told
) -> None:
    through.app.get_version()
    proxy.next("/app/version", "cut", 2)
    assert through.app.get_version() == client.app.get_version()
    told("a response cut in its middle, twice", submit_and_wait(client, work, 1))


def test_the_socket_is_reset_again_and_again(proxy: FaultProxy, client: InvokeAIClient, work: Work, told: Told) -> None:
    runs = [work(steps=4, seconds=0.4).submit_sync() for _ in range(6)]
    for _ in range(5):
        time.sleep(0.4)
        proxy.reset_websockets()
    told("the websocket reset 5 times", check_all_there_once(client, runs, [run.wait(60) for run in runs]))


def test_a_half_open_socket(
    proxy: FaultProxy, client: InvokeAIClient, work: Work, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The real figure is half a minute; what is tested is that silence is not believed for ever.
    monkeypatch.setattr(reconciler, "SILENCE", 2.0)
    runs = [work(steps=4, seconds=0.3).submit_sync() for _ in range(3)]
    proxy.freeze_websockets()
    ends = [run.wait(60) for run in runs]
    told("a half-open websocket (no FIN, no data)", check_all_there_once(client, runs, ends))


def test_a_half_open_socket_is_noticed_by_ping(
    proxy: FaultProxy,
    through: InvokeAIClient,
    client: InvokeAIClient,
    work: Work,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The real figures are 10 s, and so 15 s until the loss is noticed.
    monkeypatch.setattr(socketio_connection, "PING_AFTER", 1.0)
    monkeypatch.setattr(reconciler, "SILENCE", 60.0)
    changes: list[str] = []
    through.on_connection(lambda change: changes.append(change.state))
    runs = [work(steps=2, seconds=0.1).submit_sync() for _ in range(3)]
    proxy.freeze_websockets()
    began = time.monotonic()
    ends = [run.wait(60) for run in runs]
    assert time.monotonic() - began < 8
    assert "disconnected" in changes
    told("a half-open websocket, noticed by ping", check_all_there_once(client, runs, ends))


def test_sockets_that_are_dropped_right_after_opening(
    proxy: FaultProxy, through: InvokeAIClient, client: InvokeAIClient, work: Work, told: Told
) -> None:
    proxy.next("/ws/", "open_and_drop", 10**6)
    runs = [work(steps=2, seconds=0.5).submit_sync() for _ in range(8)]
    ends = [run.wait(60) for run in runs]
    opened = proxy.websockets_opened
    assert 2 <= opened <= 12, "the client backs off although each socket can be opened"
    told(f"sockets dropped right after opening ({opened} in {len(runs)} s)", check_all_there_once(client, runs, ends))


def test_two_seconds_of_latency(proxy: FaultProxy, client: InvokeAIClient, sleep: dict[str, Any], told: Told) -> None:
    # The default timeouts: a lost connection costs several round trips of four seconds.
    with InvokeAIClient.from_url(proxy.url) as through:
        handles = [through.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep)) for _ in range(3)]
        for wf in handles:
            wf.set_many({"Steps": 2, "Seconds": 0.05})
        proxy.latency = 2.0

        async def submit_all() -> list[Run]:
            return await asyncio.gather(*(wf.submit() for wf in handles))

        runs = asyncio.run(submit_all())
        told("2 s of latency each way", check_all_there_once(client, runs, [run.wait(120) for run in runs]))


def test_a_kilobyte_a_second(
    proxy: FaultProxy, through: InvokeAIClient, client: InvokeAIClient, work: Work, told: Told
) -> None:
    wf = work()
    wf.submit_sync().wait(30)
    proxy.bytes_per_second = 1024
    run = wf.submit_sync()
    end = run.wait(60)
    proxy.clear()
    told("1 KB/s", check_all_there_once(client, [run], [end]))


def test_a_refused_websocket_upgrade(
    proxy: FaultProxy, through: InvokeAIClient, client: InvokeAIClient, work: Work, told: Told
) -> None:
    proxy.next("/ws/", "400", 10**6)
    outcome = submit_and_wait(client, work)
    assert through.stats().events == 0
    told("the websocket's upgrade refused: polling carries it", outcome)


def test_events_that_come_after_the_end(proxy: FaultProxy, client: InvokeAIClient, work: Work, told: Told) -> None:
    work().submit_sync().wait(30)
    proxy.websocket_latency = 1.5
    runs = [work().submit_sync() for _ in range(3)]
    ends = [run.wait(60) for run in runs]
    stories: list[Any] = [[event.type for event in run.stream()] for run in runs]
    assert all(story.count("session_complete") == 1 for story in stories)
    told("events delayed past completion", check_all_there_once(client, runs, ends))


def test_a_zip_whose_event_was_lost_is_not_waited_for(
    proxy: FaultProxy, through: InvokeAIClient, tmp_path: Path, told: Told
) -> None:
    image = io.BytesIO()
    PIL.Image.new("RGB", (8, 8)).save(image, "PNG")
    name = through.image_repo.upload_image(image.getvalue()).image_name
    assert through.image_repo.download_zip(tmp_path / "whole.zip", image_names=[name]).stat().st_size > 50
    proxy.websocket_latency = 60.0
    with ThreadPoolExecutor(1) as pool:
        before = through.stats().requests
        zipped = pool.submit(through.image_repo.download_zip, tmp_path / "lost.zip", image_names=[name])
        while through.stats().requests == before:
            time.sleep(0.01)
        proxy.reset_websockets()
        with pytest.raises(errors.TransferError, match="socket was disconnected"):
            zipped.result(30)
    assert [path.name for path in tmp_path.iterdir()] == ["whole.zip"]
    told("the websocket lost while a zip is made", "told as an error, no half file")


def test_a_server_that_does_not_answer_is_reported_as_such(
    proxy: FaultProxy, client: InvokeAIClient, told: Told
) -> None:
    model, *_ = client.dnn_model_repo.list_models(type="main")
    begun = client.dnn_model_repo.install_model(model["source"], inplace=True)
    with InvokeAIClient.from_url(proxy.url, timeout=0.5, connect_timeout=0.5, retries=0) as hasty:
        job = hasty.dnn_model_repo.get_install_job(begun.job_id)
        assert hasty.queue.wait_until_idle(60)
        proxy.latency = 20.0
        with pytest.raises(errors.RequestTimeout):
            hasty.queue.wait_until_idle(2)
        with pytest.raises(errors.RequestTimeout):
            job.wait_until()
        proxy.clear()
    told("no answer while a wait asks", "told as an error, not as the wait's own end")


def answers(client: InvokeAIClient, kind: str) -> int:
    """Return how many requests of a kind were answered with 200."""
    return client.stats().requests.get(kind, {}).get("200", 0)


def test_a_server_that_is_away_for_a_moment_is_waited_for(
    proxy: FaultProxy, client: InvokeAIClient, work: Work, told: Told
) -> None:
    with InvokeAIClient.from_url(proxy.url, timeout=5.0, connect_timeout=1.0, retries=0) as hasty:
        wf = hasty.workflow_repo.create_workflow(work().definition)
        client.queue.pause()
        try:
            before = work().submit_sync()
            before_waiting = answers(hasty, "GET queue")
            with ThreadPoolExecutor(2) as pool:
                idle = pool.submit(hasty.queue.wait_until_idle, 60)
                low = pool.submit(wf.submit_sync, priority="low")
                deadline = time.monotonic() + 20
                while answers(hasty, "GET queue") < before_waiting + 2:
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                for _ in range(2):
                    proxy.down()
                    time.sleep(1.5)
                    proxy.up()
                    time.sleep(1.0)
                proxy.next("/status", "503", 2)
                assert not low.done()
                assert not idle.done()
                client.queue.resume()
                runs = [before, low.result(60)]
                assert idle.result(60)
        finally:
            client.queue.resume()
        told("away for 1.5 s, twice, while two wait", check_all_there_once(client, runs, [r.wait(60) for r in runs]))


def test_a_server_that_stays_away_is_reported_when_the_time_is_over(proxy: FaultProxy) -> None:
    with InvokeAIClient.from_url(proxy.url, retries=0) as client:
        client.queue.get_status()
        proxy.down()
        began = time.monotonic()
        with pytest.raises(errors.TransportError):
            client.queue.wait_until_idle(1.5)
        assert 1.5 <= time.monotonic() - began < 20
        with pytest.raises(errors.TransportError):
            client.queue.wait_until_idle(0)


def test_watching_a_queue_that_cannot_be_watched_is_reported(proxy: FaultProxy) -> None:
    proxy.down()
    with InvokeAIClient.from_url(proxy.url, retries=0) as client, pytest.raises(errors.TransportError):
        next(client.queue.watch())
    with (
        InvokeAIClient.from_url(proxy.url, transport="polling") as client,
        pytest.raises(errors.SettingsError, match="polling"),
    ):
        next(client.queue.watch())


def test_a_watcher_of_a_queue_is_notified_of_what_it_missed(
    proxy: FaultProxy, through: InvokeAIClient, client: InvokeAIClient, told: Told
) -> None:
    with through.queue.watch() as changes:
        client.queue.prune()
        proxy.reset_websockets()
        event = next(changes)
    assert (event.type, event.queue_id) == ("reconnected", "default")
    assert 0 < event["seconds"] < 30
    told("the websocket reset while a queue is watched", "told as reconnected")
