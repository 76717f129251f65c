"""The fault proxy, clients behind it, and the table of what was survived."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.faults.proxy import FaultProxy

from invokeai_py_client import InvokeAIClient, QueueItem, Run, WorkflowDefinition, WorkflowHandle
from invokeai_py_client.local import LocalServer

_SURVIVED = "fault survived"
"""The property of a test's report that is a row of the table."""

Told = Callable[[str, str], None]


@pytest.fixture
def told(record_property: Callable[[str, object], None]) -> Told:
    """Puts a row into the table that is printed at the end: the fault, and what came of it, with counts."""
    return lambda fault, outcome: record_property(_SURVIVED, (fault, outcome))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    # Reports come from several processes, in any order.
    reports = sorted(terminalreporter.stats.get("passed", []), key=lambda report: report.location[:2])
    rows = [row for report in reports for name, row in report.user_properties if name == _SURVIVED]
    if rows:
        terminalreporter.section("faults survived")
        for fault, outcome in rows:
            terminalreporter.write_line(f"{fault:64} {outcome}")


@pytest.fixture
def proxy(server: LocalServer) -> Iterator[FaultProxy]:
    with FaultProxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def through(proxy: FaultProxy) -> Iterator[InvokeAIClient]:
    """A client that speaks to the server through the proxy."""
    with InvokeAIClient.from_url(proxy.url, timeout=20.0, connect_timeout=5.0) as client:
        yield client


@pytest.fixture
def work(through: InvokeAIClient, sleep: dict[str, Any]) -> Callable[..., WorkflowHandle]:
    """Makes a handle of the workflow that takes its time."""

    def make(steps: int = 2, seconds: float = 0.05) -> WorkflowHandle:
        wf = through.workflow_repo.create_workflow(WorkflowDefinition.from_dict(sleep))
        wf.set_many({"Steps": steps, "Seconds": seconds})
        return wf

    return make


def check_all_there_once(client: InvokeAIClient, runs: list[Run], ends: list[QueueItem]) -> str:
    """Each run has one item of its own, all completed, their outputs told once, and the server has no other of them."""
    ids = [item_id for run in runs for item_id in run.item_ids]
    assert len(set(ids)) == len(ids) == len(runs)
    assert [end.item_id for end in ends] == ids
    assert [end.status for end in ends] == ["completed"] * len(ends)
    assert [[output.node_id for output in end.outputs] for end in ends] == [["sleep"]] * len(ends)
    for run in runs:
        story = [event.type for event in run.events]
        assert story.count("invocation_complete") == 1, "an output was not told, or twice"
        assert story.count("session_complete") == 1
        assert story.index("invocation_complete") < story.index("session_complete") == len(story) - 1
        status = client._make_request("GET", f"/queue/default/b/{run.batch_id}/status").json()
        assert status["total"] == 1, "an item was enqueued twice"
    return f"{len(ends)} submitted, {len(ends)} completed, 0 lost, 0 twice"
