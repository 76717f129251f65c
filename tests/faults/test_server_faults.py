"""A server that ends in the middle of its work, and is started again on its port."""

from __future__ import annotations

import signal
import time
from collections import Counter
from typing import Any

import pytest
from tests.faults.conftest import Told

from invokeai_py_client import InvokeAIClient, Run, WorkflowDefinition
from invokeai_py_client.local import LocalServer
from invokeai_py_client.workflow_handle import OnServerLoss


def submit(client: InvokeAIClient, sleep: dict[str, Any], count: int, policy: OnServerLoss) -> list[Run]:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
    wf.set_many({"Steps": 20, "Seconds": 1.0})
    return [wf.submit_sync(on_server_loss=policy) for _ in range(count)]


@pytest.mark.parametrize(
    ("how", "policy"), [(signal.SIGTERM, "report"), (signal.SIGKILL, "report"), (signal.SIGKILL, "resubmit")]
)
def test_the_server_is_killed_and_started_again(
    how: signal.Signals, policy: OnServerLoss, mortal: LocalServer, sleep: dict[str, Any], told: Told
) -> None:
    with InvokeAIClient.from_url(mortal.url) as client:
        runs = submit(client, sleep, 5, policy)
        for event in runs[0].stream():
            if event.type == "generator_progress":
                break
        before = [run.item_id for run in runs]
        if how is signal.SIGTERM:
            mortal.stop()
        else:
            mortal.kill()
        time.sleep(0.5)
        mortal.start()
        ends = [run.wait(120) for run in runs]
        counts = Counter(end.status for end in ends)
        lost = [end for end in ends if end.status == "canceled"]
        assert {end.canceled_by for end in lost} <= {"server"}
        if policy == "report":
            # A server that is asked to end may still finish what it is at.
            assert ends[0].status == "canceled" or how is signal.SIGTERM
            assert counts["completed"] + counts["canceled"] == 5
            assert [end.item_id for end in ends] == before
        else:
            assert counts == {"completed": 5}
            assert ends[0].item_id != before[0]
            for run in runs:
                status = client._make_request("GET", f"/queue/default/b/{run.batch_id}/status").json()
                assert status["completed"] == 1
        assert all([output.node_id for output in end.outputs] == ["sleep"] for end in ends if end.status == "completed")
        told(
            f"{how.name} with 1 running and 4 pending, {policy}",
            f"5 ended: {counts['completed']} completed, {counts['canceled']} canceled by the server",
        )


def test_a_batch_that_does_not_fit_is_sent_as_room_appears(
    mortal: LocalServer, sleep: dict[str, Any], told: Told
) -> None:
    with InvokeAIClient.from_url(mortal.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
        wf.set_many({"Steps": 1, "Seconds": 0.05})
        run = wf.submit_sync(runs=30)
        assert run.enqueued <= 10
        end = run.wait(120)
        assert end.status == "completed"
        assert len(run.item_ids) == len(set(run.item_ids)) == 30
        assert len(end.outputs) == 30
        status = client._make_request("GET", f"/queue/default/b/{run.batch_id}/status").json()
        assert (status["total"], status["completed"]) == (30, 30)
    told("a batch of 30 in a queue of 8", "30 enqueued, 30 completed, 0 twice")


def test_the_rest_of_a_low_batch_waits_for_its_turn_again(
    mortal: LocalServer, sleep: dict[str, Any], told: Told
) -> None:
    with InvokeAIClient.from_url(mortal.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
        wf.set_many({"Steps": 1, "Seconds": 0.4})
        low = wf.submit_sync(runs=14, priority="low")
        assert low.enqueued <= 10
        others = [wf.submit_sync(runs=2) for _ in range(3)]
        ends = [run.wait(120) for run in (low, *others)]
        assert [end.status for end in ends] == ["completed"] * 4
        assert len(low.item_ids) == 14
        assert max(item_id for run in others for item_id in run.item_ids) < low.item_ids[10]
    told("a low batch of 14 in a queue of 8, and others", "the others before its rest")


def test_the_rest_of_a_low_batch_is_given_up_while_it_waits(mortal: LocalServer, sleep: dict[str, Any]) -> None:
    with InvokeAIClient.from_url(mortal.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
        wf.set_many({"Steps": 1, "Seconds": 0.0})
        client.queue.pause()
        try:
            run = wf.submit_sync(runs=12, priority="low")
            run.cancel()
            other = wf.submit_sync()
            assert run.wait(30).canceled_by == "client"
            assert len(run.item_ids) == 8
        finally:
            client.queue.resume()
        assert other.wait(30).status == "completed"


def test_what_was_not_sent_yet_is_not_sent_after_a_cancel(mortal: LocalServer, sleep: dict[str, Any]) -> None:
    with InvokeAIClient.from_url(mortal.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
        wf.set_many({"Steps": 10, "Seconds": 5.0})
        run = wf.submit_sync(runs=30)
        run.cancel()
        end = run.wait(60)
        assert (end.status, end.canceled_by) == ("canceled", "client")
        assert len(run.item_ids) < 30
