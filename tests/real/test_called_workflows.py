"""Workflows that call saved workflows (`call_saved_workflow`, servers from 6.14): each call is an item of its own."""

from __future__ import annotations

import contextlib
import copy
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.called_workflows import batch_callee, blur_callee, caller, field, returning, sleep_callee, workflow
from tests.documents import edge, node
from tests.faults.proxy import FaultProxy

from invokeai_py_client import GeneratorProgress, InvokeAIClient, Run, WorkflowDefinition
from invokeai_py_client.errors import InputsNotReadyError, RunFailed
from invokeai_py_client.local import LocalServer

RADIUS = field("blur", "radius")

Saver = Callable[[dict[str, Any]], str]


@pytest.fixture(autouse=True, scope="module")
def has_calls(server: LocalServer) -> None:
    with InvokeAIClient.from_url(server.url) as client:
        if "call_saved_workflow" not in client.workflow_repo.get_templates():
            pytest.skip("the server has no call_saved_workflow")


@pytest.fixture(params=["websocket", "polling"])
def client(server: LocalServer, request: pytest.FixtureRequest) -> Iterator[InvokeAIClient]:
    with InvokeAIClient.from_url(server.url, transport=request.param) as client:
        yield client


@pytest.fixture
def one_client(server: LocalServer) -> Iterator[InvokeAIClient]:
    """For what does not depend on the transport."""
    with InvokeAIClient.from_url(server.url) as client:
        yield client


@pytest.fixture
def save(server: LocalServer) -> Iterator[Saver]:
    """Puts documents into the library, and takes them out in the end."""
    with InvokeAIClient.from_url(server.url) as client:
        saved: list[str] = []

        def save(document: dict[str, Any]) -> str:
            saved.append(client.workflow_repo.upload_workflow(WorkflowDefinition.from_dict(document)))
            return saved[-1]

        yield save
        for workflow_id in saved:
            with contextlib.suppress(Exception):
                client.workflow_repo.delete_workflow(workflow_id)


def calling(workflow_id: str, name: str = "calls another") -> dict[str, Any]:
    """A workflow that calls one, returns what that returned, and can be called itself."""
    nodes, edges = returning(
        node("call", "call_saved_workflow", "1.0.0", workflow_id=workflow_id),
        node("got", "workflow_return_get", "1.0.0", key="result"),
        edges=[edge("call", "values", "got", "values")],
        value=("got", "value"),
    )
    return workflow(name, nodes, edges)


def submitted(client: InvokeAIClient, document: dict[str, Any]) -> Run:
    return client.workflow_repo.create_workflow_from_dict(document).submit_sync()


# Before submitting


def test_the_inputs_of_a_called_workflow_are_typed_labelled_and_sent(one_client: InvokeAIClient, save: Saver) -> None:
    wf = one_client.workflow_repo.create_workflow_from_dict(caller(save(blur_callee(radius=3.5))))
    radius = wf.inputs["call", RADIUS]
    assert (radius.label, radius.type_name, radius.value) == ("Radius", "FloatField", 3.5)
    radius.value = 7
    run = wf.submit_sync()
    run.result(60)
    records = [item for item in one_client.queue.list_all() if item.batch_id == run.batch_id]
    assert [record.session["graph"]["nodes"]["blur"]["radius"] for record in records] == [5.0, 7.0]


def refused(client: InvokeAIClient, document: dict[str, Any]) -> list[tuple[str, str, str]]:
    wf = client.workflow_repo.create_workflow_from_dict(document)
    with pytest.raises(InputsNotReadyError) as caught:
        wf.submit_sync()
    assert wf.validate_inputs() == {
        (node_id, name): [why for n, f, why in caught.value.problems if (n, f) == (node_id, name)]
        for node_id, name, _ in caught.value.problems
    }
    return list(caught.value.problems)


def test_a_called_workflow_that_is_gone_is_reported_before_submitting(one_client: InvokeAIClient) -> None:
    ((node_id, name, why),) = refused(one_client, caller("no-such-workflow"))
    assert (node_id, name) == ("call", "workflow_id")
    assert "not in the server's library" in why


def test_a_called_workflow_without_a_return_node_is_reported_before_submitting(
    one_client: InvokeAIClient, save: Saver, blur: dict[str, Any]
) -> None:
    ((node_id, name, why),) = refused(one_client, caller(save(blur)))
    assert (node_id, name, "no workflow_return node" in why) == ("call", "workflow_id", True)


def test_an_exposed_input_that_is_gone_is_reported_before_submitting(one_client: InvokeAIClient, save: Saver) -> None:
    ((node_id, name, why),) = refused(one_client, caller(save(blur_callee()), {field("blur", "blur_type"): "box"}))
    assert (node_id, name) == ("call", field("blur", "blur_type"))
    assert "no longer exposes it" in why


def test_a_workflow_that_was_changed_after_the_handle_was_made(one_client: InvokeAIClient, save: Saver) -> None:
    workflow_id = save(blur_callee())
    wf = one_client.workflow_repo.create_workflow_from_dict(caller(workflow_id))
    assert wf.validate_inputs() == {}
    fewer = blur_callee()
    fewer["exposedFields"] = fewer["exposedFields"][1:]
    one_client.workflow_repo.update_workflow(workflow_id, WorkflowDefinition.from_dict(fewer))
    assert [*wf.validate_inputs()] == [("call", RADIUS)]
    one_client.workflow_repo.delete_workflow(workflow_id)
    assert [*wf.validate_inputs()] == [("call", "workflow_id")]


def test_a_further_call_gets_what_comes_over_an_edge_only(
    one_client: InvokeAIClient, save: Saver, caplog: pytest.LogCaptureFixture
) -> None:
    inner, width = save(blur_callee()), field("blank", "width")
    middle = calling(inner)
    call = middle["nodes"][0]["data"]
    call["inputs"] |= {
        name: {"name": name, "label": "", "value": value} for name, value in ((RADIUS, 9.0), (width, 64))
    }
    call["dynamicInputTemplates"] = {
        width: {"name": width, "type": {"name": "IntegerField", "cardinality": "SINGLE", "batch": False}}
    }
    middle["nodes"].append(node("number", "integer", "1.0.1", value=128))
    middle["edges"].append(edge("number", "value", "call", width))
    run = submitted(one_client, caller(save(middle)))
    run.result(60)
    grandchild = one_client.queue.get_item(run.children[1].item_id)
    nodes = grandchild.session["graph"]["nodes"]
    assert (nodes["blur"]["radius"], nodes["blank"]["width"]) == (2.0, 128)
    assert "sets its 'Radius'" in caplog.text


# While it runs


def test_a_child_belongs_to_the_run_and_is_distinguished(client: InvokeAIClient, save: Saver) -> None:
    run = submitted(client, caller(save(blur_callee())))
    ids = run.item_ids
    item = run.result(60)
    assert run.item_ids == ids == (item.item_id,)
    assert run.enqueued == 1
    (child,) = run.children
    assert child.item_id != item.item_id
    assert (child.parent_item_id, child.call_path, child.status) == (item.item_id, ("call",), "completed")
    assert (item.parent_item_id, item.call_path) == (None, ())
    assert {output.node_id for output in item.outputs} == {"blank", "blur", "call"}
    assert {output.node_id for output in child.outputs} == {"blank", "blur", "value", "return"}
    assert (item.progress_percentage, child.progress_percentage, run.progress) == (100.0, 100.0, 100.0)


def test_images_of_a_child_count_and_say_where_they_are_from(client: InvokeAIClient, save: Saver) -> None:
    wf = client.workflow_repo.create_workflow_from_dict(caller(save(blur_callee())))
    run = wf.submit_sync()
    item = run.result(60)
    images = {str(image.node): image.name for image in run.images}
    assert len(run.images) == 2
    assert [*images] == ["blur", "call/blur"]
    (child,) = run.children
    made = {output.node_id: output.result for output in child.outputs}
    assert images["call/blur"] == made["blur"]["image"]["image_name"]
    own, called = wf.map_outputs_to_images(item)
    assert (own.node_id, own.call_path, own.image_names) == ("blur", (), (images["blur"],))
    assert (called.node_id, called.call_path, called.image_names) == ("blur", ("call",), (images["call/blur"],))
    assert called.node_type == "img_blur"


def test_an_attached_run_has_the_same_children_and_images(client: InvokeAIClient, save: Saver) -> None:
    run = submitted(client, caller(save(blur_callee())))
    item = run.result(60)
    with InvokeAIClient.from_url(client.settings.url, transport=client.settings.transport) as other:
        for attached in (other.run(item.item_id), other.run(batch_id=run.batch_id)):
            attached.result(60)
            assert attached.item_ids == run.item_ids
            assert [child.item_id for child in attached.children] == [child.item_id for child in run.children]
            assert [child.call_path for child in attached.children] == [("call",)]
            assert {(image.name, str(image.node)) for image in attached.images} == {
                (image.name, str(image.node)) for image in run.images
            }


def test_a_run_that_is_attached_to_while_it_runs(client: InvokeAIClient, save: Saver) -> None:
    run = submitted(client, caller(save(sleep_callee(seconds=3))))
    with InvokeAIClient.from_url(client.settings.url, transport=client.settings.transport) as other:
        attached = other.run(run.item_id)
        assert attached.result(60).status == "completed"
        assert attached.item_ids == run.item_ids
        assert [(child.call_path, child.status) for child in attached.children] == [(("call",), "completed")]
    run.result(60)


def test_a_callee_with_batch_nodes_is_several_children(client: InvokeAIClient, save: Saver) -> None:
    run = submitted(client, caller(save(batch_callee())))
    item = run.result(60)
    assert (run.enqueued, run.item_ids) == (1, (item.item_id,))
    assert [(c.parent_item_id, c.call_path, c.status) for c in run.children] == [
        (item.item_id, ("call",), "completed")
    ] * 3
    assert [str(image.node) for image in run.images] == ["blur", "call/blur", "call/blur", "call/blur"]
    made = [
        output.result["image"]["image_name"] for c in run.children for output in c.outputs if output.node_id == "blur"
    ]
    assert [image.name for image in run.images][1:] == made


def test_a_child_of_a_child(client: InvokeAIClient, save: Saver) -> None:
    run = submitted(client, caller(save(calling(save(blur_callee())))))
    item = run.result(60)
    child, grandchild = run.children
    assert (child.parent_item_id, child.call_path) == (item.item_id, ("call",))
    assert (grandchild.parent_item_id, grandchild.call_path) == (child.item_id, ("call", "call"))
    assert sorted(str(image.node) for image in run.images) == ["blur", "call/call/blur"]


@pytest.mark.parametrize("depth", [1, 2])
def test_a_failing_childs_node_and_traceback_are_in_the_runs_error(
    depth: int, client: InvokeAIClient, save: Saver
) -> None:
    called = save(sleep_callee(fail_at=2))
    for _ in range(depth - 1):
        called = save(calling(called))
    run = submitted(client, caller(called))
    with pytest.raises(RunFailed) as caught:
        run.result(60)
    error = caught.value
    path = ("call",) * depth
    assert (error.node_id, error.node_type, error.call_path) == ("sleep", "test_sleep", path)
    assert (error.error_type, error.error_message) == ("RuntimeError", "told to fail at step 2")
    assert 'raise RuntimeError(f"told to fail at step {step}")' in (error.error_traceback or "")
    assert "/".join([*path, "sleep"]) in str(error)
    item = run.item
    assert (item.item_id, item.status, item.error_node_id, item.error_call_path) == (
        run.item_id,
        "failed",
        "sleep",
        path,
    )
    assert [(c.status, c.error_type) for c in run.children][-1] == ("failed", "RuntimeError")


def test_a_run_is_canceled_with_its_children(client: InvokeAIClient, save: Saver) -> None:
    run = submitted(client, caller(save(sleep_callee(seconds=30))))
    _until_a_child_runs(client, run)
    run.cancel()
    item = run.wait(30)
    assert (item.status, item.canceled_by) == ("canceled", "client")
    assert [(child.status, child.canceled_by) for child in run.children] == [("canceled", "client")]


def test_a_child_that_is_canceled_cancels_the_run(client: InvokeAIClient, save: Saver) -> None:
    run = submitted(client, caller(save(sleep_callee(seconds=30))))
    child_id = _until_a_child_runs(client, run)
    client.cancel_workflow(child_id)
    item = run.wait(30)
    assert (item.status, item.canceled_by) == ("canceled", "client")
    assert [(child.item_id, child.status, child.canceled_by) for child in run.children] == [
        (child_id, "canceled", "client")
    ]


def test_a_child_can_be_attached_to_by_itself(client: InvokeAIClient, save: Saver) -> None:
    run = submitted(client, caller(save(blur_callee())))
    run.result(60)
    child_id = run.children[0].item_id
    alone = client.run(child_id)
    assert (alone.result(60).item_id, alone.item_ids, alone.children) == (child_id, (child_id,), ())


def test_several_items_with_calls(client: InvokeAIClient, save: Saver) -> None:
    wf = client.workflow_repo.create_workflow_from_dict(caller(save(blur_callee())))
    run = wf.submit_sync(runs=3)
    run.result(60)
    assert run.enqueued == 3
    assert sorted(child.parent_item_id or 0 for child in run.children) == sorted(run.item_ids)
    assert len(run.images) == 6


# Events and progress, which need a socket


def test_events_of_a_child_have_its_own_item_id(one_client: InvokeAIClient, save: Saver) -> None:
    run = submitted(one_client, caller(save(blur_callee())))
    events = [*run.stream()]
    (child,) = run.children
    ends = {event.item_id: event for event in events if event.type == "session_complete"}
    assert [*ends] == [child.item_id, run.item_id]
    completed = [(e.item_id, e.node_id) for e in events if e.type == "invocation_complete"]
    assert completed == [
        (run.item_id, "blank"),
        (child.item_id, "blank"),
        (child.item_id, "blur"),
        (child.item_id, "value"),
        (child.item_id, "return"),
        (run.item_id, "call"),
        (run.item_id, "blur"),
    ]


def test_progress_of_a_child_is_progress_of_its_run(one_client: InvokeAIClient, save: Saver) -> None:
    run = submitted(one_client, caller(save(sleep_callee(seconds=1.0))))
    seen: dict[int, list[float]] = {}
    totals = []
    for event in run.stream():
        if isinstance(event, GeneratorProgress) and event.progress_percentage is not None:
            seen.setdefault(event.item_id, []).append(event.overall_percentage)
            totals.append(run.progress)
    (child,) = run.children
    assert [*seen] == [child.item_id]
    assert seen[child.item_id] == sorted(set(seen[child.item_id]))
    # The call is one of the three nodes of the caller; the others are quick, and may be done or not.
    assert totals == sorted(totals)
    assert totals[-1] > totals[0]
    assert totals[-1] < 100.0


def test_handlers_see_the_events_of_children(one_client: InvokeAIClient, save: Saver) -> None:
    wf = one_client.workflow_repo.create_workflow_from_dict(caller(save(blur_callee())))
    nodes: list[tuple[bool, str]] = []
    done = threading.Event()

    def on_event(event: Any) -> None:
        if event.type == "invocation_complete":
            nodes.append((event.item_id in run.item_ids, event.node_id))
        if event.type == "session_complete" and event.item_id in run.item_ids:
            done.set()

    run = wf.submit_sync()
    wf.on_event(on_event)
    wf.wait_for_completion_sync(timeout=60)
    assert done.wait(10)
    assert (False, "blur") in nodes
    assert (True, "blur") in nodes


def test_the_socket_and_polling_tell_the_same(server: LocalServer, save: Saver) -> None:
    document = caller(save(calling(save(batch_callee(radii=(1.0, 2.0))))))
    told = []
    for transport in ("websocket", "polling"):
        with InvokeAIClient.from_url(server.url, transport=transport) as client:
            run = submitted(client, copy.deepcopy(document))
            item = run.result(60)
            first = item.item_id
            told.append(
                {
                    "ids": [item_id - first for item_id in run.item_ids],
                    "enqueued": run.enqueued,
                    "outputs": sorted(output.node_id for output in item.outputs),
                    "children": [
                        (child.item_id - first, (child.parent_item_id or 0) - first, child.call_path, child.status)
                        for child in run.children
                    ],
                    "child outputs": [sorted(output.node_id for output in child.outputs) for child in run.children],
                    "images": [str(image.node) for image in run.images],
                }
            )
    assert told[0] == told[1]


@pytest.mark.parametrize("when", ["before the call", "in the call"])
def test_children_are_known_after_the_socket_was_lost(when: str, server: LocalServer, save: Saver) -> None:
    document = caller(save(sleep_callee(seconds=1.0)))
    if when == "before the call":
        # The caller takes its time before it calls.
        document["nodes"].insert(0, node("first", "test_sleep", "1.0.0", steps=4, seconds=1.0, fail_at=-1))
    with FaultProxy(server.url) as proxy, InvokeAIClient.from_url(proxy.url) as client:
        run = submitted(client, document)
        if when == "in the call":
            _until_a_child_runs(client, run)
        proxy.reset_websockets()
        item = run.result(60)
        assert run.item_ids == (item.item_id,)
        assert [(child.parent_item_id, child.call_path, child.status) for child in run.children] == [
            (item.item_id, ("call",), "completed")
        ]
        assert {output.node_id for output in run.children[0].outputs} == {"sleep", "value", "return"}


def _until_a_child_runs(client: InvokeAIClient, run: Run) -> int:
    """The id of the run's child once it runs, as the server tells it."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for record in client.queue.list_running():
            if record.batch_id == run.batch_id and record.item_id not in run.item_ids:
                return record.item_id
    raise AssertionError("no child of the run came to run")
