"""`wf.plan` on a client: one awaited and one blocking face, and what the server is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.documents import BLANK, node
from tests.support.batch_server import BatchServer, image_content, image_name
from tests.support.scripted_server import ScriptedServer

from invokeai_py_client import AsyncPlan, InvokeAIClient, Plan, WorkflowDefinition, WorkflowHandle, errors
from invokeai_py_client.batch.folder import plan_path

ADD: dict[str, Any] = {
    "name": "add",
    "meta": {"version": "3.0.0"},
    "nodes": [node("add", "add", "1.0.1", a=1, b=2)],
    "edges": [],
    "exposedFields": [{"nodeId": "add", "fieldName": "a"}],
}


async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    """The item is done at once."""
    await server.emit("invocation_started", _event(item_id, batch_id))
    await server.emit("invocation_complete", _event(item_id, batch_id) | {"result": {"type": "integer_output"}})
    await server.emit(
        "queue_item_status_changed",
        {"queue_id": "default", "item_id": item_id, "batch_id": batch_id, "status": "completed", "status_sequence": 2},
    )
    server.finish(item_id)


def _event(item_id: int, batch_id: str) -> dict[str, Any]:
    return {
        "queue_id": "default",
        "item_id": item_id,
        "batch_id": batch_id,
        "session_id": f"s-{item_id}",
        "invocation": {"id": "p-add", "type": "add"},
        "invocation_source_id": "add",
    }


@pytest.fixture
def client() -> Iterator[InvokeAIClient]:
    with ScriptedServer(play) as server, InvokeAIClient.from_url(server.url) as client:
        yield client


@pytest.fixture
def wf(client: InvokeAIClient) -> WorkflowHandle:
    return client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(ADD))


def test_a_plan_is_a_sequence_of_rows(wf: WorkflowHandle) -> None:
    plan = wf.plan({"A": [1, 2], ("add", "b"): (n for n in (3, 4))})
    assert isinstance(plan, Plan)
    assert len(plan) == 4
    with pytest.raises(TypeError, match="'slice' object cannot be interpreted as an integer"):
        plan[:2]  # type: ignore[index]  # pyright: ignore[reportArgumentType]
    assert [row.values for row in plan][1] == {"A": 1, "add.b": 4}
    assert plan[-1] == [*plan][3]
    with pytest.raises(IndexError):
        _ = plan[4]
    assert [*plan.columns] == ["A", "add.b"]
    assert [axis.name for axis in plan.axes] == ["A", "add.b"]
    assert (plan.invalid, plan.random_seed, plan.sample_seed) == (0, None, None)


async def test_a_plan_can_be_awaited(wf: WorkflowHandle) -> None:
    plan = await wf.aio.plan([{"A": 1}, {"A": "x"}], on_bad_row="skip")
    assert isinstance(plan, AsyncPlan)
    assert (len(plan), plan.invalid) == (2, 1)
    assert repr(plan) == "<AsyncPlan of 'add': 2 rows, 1 invalid>"


def test_a_plan_keeps_the_values_of_the_moment(wf: WorkflowHandle) -> None:
    wf.inputs["A"].value = 5
    before = wf.plan({("add", "b"): [1]})
    wf.inputs["A"].value = 6
    after = wf.plan({("add", "b"): [1]})
    assert before[0].row_id != after[0].row_id
    wf.inputs["A"].value = 5
    assert before[0].row_id == wf.plan({("add", "b"): [1]})[0].row_id


def test_a_plan_changes_nothing_of_the_handle(wf: WorkflowHandle) -> None:
    wf.plan({"A": [7, 8]})
    assert wf.inputs["A"].value == 1


def test_a_plan_is_saved_and_loaded(client: InvokeAIClient, wf: WorkflowHandle, tmp_path: Path) -> None:
    wf.inputs["A"].value = 5
    plan = wf.plan({("add", "b"): [1, 2]})
    again = client.load_plan(plan.save(tmp_path / "plan.json"))
    assert [*again] == [*plan]
    assert again.axes == plan.axes


def test_a_plan_is_loaded_on_a_server_whose_models_have_other_keys(tmp_path: Path) -> None:
    model = {"key": "k-here", "hash": "h", "name": "tiny", "base": "sd-1", "type": "main"}

    async def models(request: web.Request) -> web.Response:
        return web.json_response({"models": [model]})

    document = {**ADD, "nodes": [node("load", "main_model_loader", "1.0.4", model=model), *ADD["nodes"]]}
    with (
        ScriptedServer(play, routes=[web.get("/api/v2/models/", models)]) as server,
        InvokeAIClient.from_url(server.url) as client,
    ):
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))
        plan = wf.plan({"A": [1]})
        path = plan.save(tmp_path / "plan.json")
        # Another client, which has not looked at the models before.
        model = {**model, "key": "k-there"}
        with InvokeAIClient.from_url(server.url) as there:
            again = there.load_plan(path)
            assert again[0].row_id == plan[0].row_id
            again.submit().wait(20)
        (item,) = server.items.values()
    assert item["session"]["graph"]["nodes"]["load"]["model"]["key"] == "k-there"


def test_an_invalid_source_of_a_plan_is_rejected(wf: WorkflowHandle, tmp_path: Path) -> None:
    with pytest.raises(errors.PlanError) as caught:
        wf.plan({"A": [1, "x"], "C": [1]})
    assert [column for _, column, _ in caught.value.problems] == ["C"]
    with pytest.raises(errors.PlanError, match="not a mapping of columns"):
        wf.plan(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(errors.SettingsError, match="`wildcards` must be the path of a folder"):
        wf.plan({"A": [1]}, wildcards=tmp_path / "none")


def test_a_plan_says_how_long_it_may_take_once_its_nodes_have_run(wf: WorkflowHandle) -> None:
    assert wf.plan({"A": [1, 2]}).seconds is None
    wf.submit_sync()
    wf.wait_for_completion_sync(timeout=20)
    plan = wf.plan({"A": range(1000)})
    assert plan.seconds is not None
    assert plan.seconds > 0
    assert str(plan).startswith("1,000 rows, about ")
    assert str(plan).endswith(" on this server")


def test_an_empty_text_is_not_a_folder(client: InvokeAIClient, wf: WorkflowHandle) -> None:
    # It is what a variable holds that was not set; the current folder is not meant.
    with pytest.raises(errors.SettingsError, match=r"Pass '\.' for the current folder"):
        wf.plan({"A": [1]}).submit(folder="")
    with pytest.raises(errors.SettingsError, match=r"Pass '\.' for the current folder"):
        client.batch_run("")


def test_a_sweep_draws_the_same_seeds_again_in_its_folder(client: InvokeAIClient, tmp_path: Path) -> None:
    noise = node("noise", "noise", "1.0.3", seed=5, width=64, height=64, use_cpu=True)
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict({**ADD, "nodes": [*ADD["nodes"], noise]}))

    earlier = wf.plan({"A": [1, 2]}, seeds="random")
    plan_path(tmp_path).parent.mkdir()
    earlier.save(plan_path(tmp_path))
    batch = wf.sweep({"A": [3, 2, 1]}, tmp_path, seeds="random")
    assert [row["seed"] for row in batch.to_rows()[:0:-1]] == [row.seed for row in earlier]


def test_images_of_another_server_are_not_found_and_the_error_names_it(tmp_path: Path) -> None:
    with BatchServer() as first, BatchServer() as second:
        with InvokeAIClient.from_url(first.url) as client:
            plan = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(BLANK)).plan({"Width": [8, 16]})
            plan.submit(tmp_path).wait(30)
        second.deleted = {image_name(1)}
        with InvokeAIClient.from_url(second.url) as client:
            gone, there = client.batch_run(tmp_path).images
            for ask in (gone.bytes, lambda: gone.save(tmp_path / "saved")):
                with pytest.raises(errors.NotFoundError, match=f"ran on {first.url!r}, and {second.url!r} does not"):
                    ask()
            # It may be the same server at another address.
            assert there.bytes() == image_content(image_name(2))
