"""Plans on the real server: each row runs what a submission of its values alone would run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.called_workflows import blur_callee, caller, field
from tests.documents import edge, node

from invokeai_py_client import BatchRow, InvokeAIClient, WorkflowDefinition, WorkflowHandle, replace

PNG = (Path(__file__).parents[2] / "docs" / "demo.png").read_bytes()


def graph_of(client: InvokeAIClient, row: BatchRow) -> dict[str, Any]:
    """Return the graph that the server ran for a row, as it stored it."""
    assert row.item_id is not None
    session: Any = client.queue.get_item(row.item_id).session
    nodes: dict[str, Any] = session["graph"]["nodes"]
    return nodes


def sent_alone(wf: WorkflowHandle, values: dict[Any, Any]) -> dict[str, Any]:
    """Return the nodes that a submission of these values would send."""
    for key, value in values.items():
        wf.inputs[key].set(value, override_edge=True)
    batch: dict[str, Any] = wf._build_submission()["batch"]
    nodes: dict[str, Any] = batch["graph"]["nodes"]
    return nodes


def assert_runs(ran: dict[str, Any], sent: dict[str, Any]) -> None:
    """The server has what was sent, and adds its defaults."""
    assert {*ran} == {*sent}
    for node_id, fields in sent.items():
        for name, value in fields.items():
            # The server leaves fields that are null out, in models too.
            stored = ran[node_id].get(name)
            if isinstance(value, dict) and isinstance(stored, dict):
                stored = {part: stored.get(part) for part in value}
            assert stored == value, f"{node_id}.{name}"


EVERYTHING: dict[str, Any] = {
    "name": "everything",
    "meta": {"version": "3.0.0"},
    "nodes": [
        node("random", "rand_int", "1.0.1", low=0, high=10),
        node("range", "random_range", "1.0.1", low=0, high=100, size=2, seed=1),
        node("text", "string", "1.0.1", value="a cat"),
        node("floats", "float_collection", "1.0.2", collection=[0.5]),
        node("blur", "img_blur", "1.2.2", intermediate=False, radius=2.0, blur_type="box", board="auto"),
        node("resize", "img_resize", "1.2.2", width=64, height=64, resample_mode="bicubic"),
        node("noise", "img_noise", "1.1.0", noise_type="gaussian", amount=0.1, noise_color=True, size=1, seed=0),
    ],
    "edges": [
        edge("random", "value", "range", "seed"),
        edge("random", "value", "noise", "seed"),
        edge("blur", "image", "resize", "image"),
        edge("resize", "image", "noise", "image"),
    ],
}


def test_rows_of_all_kinds_of_values_run_as_they_would_alone(client: InvokeAIClient, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(PNG)
    definition = WorkflowDefinition.from_dict(EVERYTHING)
    wf = client.workflow_repo.create_workflow(definition)
    varied: dict[Any, list[Any]] = {
        ("text", "value"): ["{a|b} \N{CAT FACE}", "", 'say "x"', "plain"],
        ("blur", "image"): [tmp_path / "a.png", PNG, tmp_path / "b.png", PNG],
        ("blur", "radius"): [1, 2.5, 0, 7.25],
        ("blur", "blur_type"): ["gaussian", "box", "box", "gaussian"],
        ("resize", "width"): [64, 72, 80, 88],
        ("resize", "resample_mode"): ["nearest", "box", "hamming", "lanczos"],
        ("noise", "noise_color"): [True, False, True, False],
        ("noise", "amount"): [0, 1, 0.5, 0.25],
        ("floats", "collection"): [[1.5], [1.5], [1.5], [0.5, 2]],
        "seed": [0, 2**32 - 1, 7, 8],
    }
    assert [one.node_id for one in wf.seed_inputs()] == ["range", "noise"]
    plan = wf.plan(varied, combine="zip")
    rows = plan.submit().results(timeout=120)
    assert [(row.status, row.error) for row in rows] == [("completed", None)] * 4
    for index, row in enumerate(rows):
        values = {key: those[index] for key, those in varied.items() if key != "seed"}
        seeds = {(name, "seed"): varied["seed"][index] for name in ("range", "noise")}
        alone = client.workflow_repo.create_workflow(definition)
        sent = sent_alone(alone, values | seeds)
        ran = graph_of(client, row)
        # An image is uploaded once for each content, so the names are the same too.
        assert_runs(ran, sent)
        assert row.seed == varied["seed"][index]


def test_a_seed_of_a_single_submission_is_the_one_that_runs(client: InvokeAIClient) -> None:
    document = {**EVERYTHING, "nodes": EVERYTHING["nodes"][:2], "edges": EVERYTHING["edges"][:1]}
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document))

    def drawn(seed: int) -> Any:
        run = wf.submit_sync(seed=seed)
        result = run.result(timeout=60)
        return next(output.result["collection"] for output in result.outputs if output.node_id == "range")

    assert drawn(7) == drawn(7)
    assert len({str(drawn(seed)) for seed in range(4)}) > 1


def test_a_plan_of_the_servers_own_workflow_runs(
    client: InvokeAIClient, text_to_image: WorkflowDefinition, tmp_path: Path
) -> None:
    wf = client.workflow_repo.create_workflow(text_to_image)
    wf.sync_dnn_model()
    wf.inputs["Positive Prompt"].value = "a cat"
    plan = wf.plan({"animal": replace("Positive Prompt", "cat", ["dog", "owl"]), "Steps": [1, 2]}, seeds=[7])
    assert str(plan).startswith("4 rows, 1 model loaded")
    again = client.load_plan(plan.save(tmp_path / "plan.json"))
    assert [*again] == [*plan]
    rows = again.submit(folder=tmp_path / "out").results(timeout=120)
    assert [row.status for row in rows] == ["completed"] * 4
    prompt, steps = wf.inputs["Positive Prompt"], wf.inputs["Steps"]
    for row in rows:
        ran = graph_of(client, row)
        assert ran[prompt.node_id][prompt.field_name] == row.values["Positive Prompt"]
        assert ran[steps.node_id]["steps"] == row.values["Steps"]
        assert [ran[one.node_id][one.field_name] for one in wf.seed_inputs()] == [7] * len(wf.seed_inputs())
    assert len({row.images for row in rows}) == 4
    # Nothing is left to do, and one more value is one more row for each other value.
    assert plan.submit(folder=tmp_path / "out").counts["completed"] == 4
    more = wf.plan({"animal": replace("Positive Prompt", "cat", ["dog", "owl"]), "Steps": [1, 3, 2]}, seeds=[7])
    before = {row.row_id for row in plan}
    assert len([row for row in more if row.row_id not in before]) == 2


def test_inputs_of_a_called_workflow_are_set_for_each_row(client: InvokeAIClient) -> None:
    if "call_saved_workflow" not in client.workflow_repo.get_templates():
        pytest.skip("the server has no call_saved_workflow")
    callee = client.workflow_repo.upload_workflow(WorkflowDefinition.from_dict(blur_callee()))
    try:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(caller(callee)))
        radius = field("blur", "radius")
        plan = wf.plan({("call", radius): [1.5, 3.0], ("blur", "radius"): [4.0]})
        rows = plan.submit().results(timeout=120)
        assert [(row.status, row.error) for row in rows] == [("completed", None)] * 2
        assert [graph_of(client, row)["call"]["workflow_inputs"][radius] for row in rows] == [1.5, 3.0]
        # What is called is part of what runs.
        client.workflow_repo.update_workflow(callee, WorkflowDefinition.from_dict(blur_callee(radius=7.0)))
        changed = wf.plan({("call", radius): [1.5, 3.0], ("blur", "radius"): [4.0]})
        assert not {row.row_id for row in changed} & {row.row_id for row in plan}
    finally:
        client.workflow_repo.delete_workflow(callee)
