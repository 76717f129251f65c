"""What tells rows apart, and in which order they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.called_workflows import blur_callee
from tests.documents import edge, node
from tests.support.plans import HUGE, TINY, VAE, document, planned

from invokeai_py_client.batch.plan_data import PlanData
from invokeai_py_client.batch.server_names import ServerNames
from invokeai_py_client.batch.sources import replace
from invokeai_py_client.errors import PlanError
from invokeai_py_client.workflow.called_workflows import CalledWorkflow
from invokeai_py_client.workflow.document import WorkflowDefinition
from invokeai_py_client.workflow.templates import NodeTemplates

PNG = (Path(__file__).parents[3] / "docs" / "demo.png").read_bytes()


def ids(plan: PlanData) -> list[str]:
    return [row.row_id for row in plan]


def order(plan: PlanData) -> list[list[int]]:
    return [[row.index for row in group] for group in plan.groups()]


# Identity


def test_adding_a_value_to_an_axis_adds_rows_only(templates: NodeTemplates) -> None:
    few = planned(templates, {"Width": [64, 128], "Height": [64, 128]})
    more = planned(templates, {"Height": [64, 128], "Width": [64, 96, 128]})
    assert len({*ids(more)} - {*ids(few)}) == 2
    assert {*ids(few)} < {*ids(more)}


def test_a_row_is_the_same_wherever_its_values_come_from(templates: NodeTemplates) -> None:
    [by_column] = ids(planned(templates, {"Width": [128], "Radius": [3]}))
    [by_value] = ids(planned(templates, {"Radius": [3.0]}, values={"Width": 128}))
    [by_row] = ids(planned(templates, [{"noise.width": 128, "Radius": 3.0}]))
    [other] = ids(planned(templates, {"Radius": [3.0]}))
    assert by_column == by_value == by_row != other


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it["nodes"][6]["data"]["inputs"]["a"].update(value=9),
        lambda it: it["nodes"].append(node("more", "add", "1.0.1", a=1, b=2)),
        lambda it: it["edges"].append(edge("add", "value", "noise", "height")),
        lambda it: it["nodes"][5]["data"].update(isIntermediate=True),
    ],
)
def test_another_workflow_is_another_row(templates: NodeTemplates, change: Any) -> None:
    changed = document()
    change(changed)
    assert ids(planned(templates, {"Width": [64]}, document=changed)) != ids(planned(templates, {"Width": [64]}))


def test_how_a_workflow_is_drawn_and_named_makes_no_other_row(templates: NodeTemplates) -> None:
    moved = document()
    moved["name"] = "another name"
    moved["nodes"][0]["position"] = {"x": 7, "y": 7}
    moved["nodes"][0]["data"]["label"] = "another label"
    moved["nodes"].reverse()
    assert ids(planned(templates, {"Width": [64]}, document=moved)) == ids(planned(templates, {"Width": [64]}))


def test_the_hash_of_the_workflow_does_not_depend_on_its_values(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Width": [64]})
    assert plan.workflow == planned(templates, {"Height": [64]}, values={"Width": 128}).workflow
    changed = document()
    changed["edges"] = []
    assert plan.workflow != planned(templates, {"Width": [64]}, document=changed).workflow


def test_a_model_is_known_by_its_hash(templates: NodeTemplates) -> None:
    [by_name] = ids(planned(templates, {"Model": ["huge"]}))
    [by_record] = ids(planned(templates, {"Model": [{**HUGE, "key": "elsewhere"}]}))
    [by_value] = ids(planned(templates, {}, values={"Model": "huge"}))
    [other] = ids(planned(templates, {"Model": ["tiny"]}))
    assert by_name == by_record == by_value != other


def test_a_called_workflow_is_part_of_what_runs(templates: NodeTemplates) -> None:
    def calling(callee: dict[str, Any]) -> list[str]:
        called = CalledWorkflow("w", "callee", WorkflowDefinition.from_dict(callee))
        return ids(planned(templates, {"Width": [64]}, server=ServerNames(called={"w": called})))

    assert calling(blur_callee()) == calling({**blur_callee(), "name": "renamed"})
    assert calling(blur_callee()) != calling(blur_callee(radius=3.0))


def test_an_image_is_known_by_its_content(templates: NodeTemplates, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(PNG)
    (tmp_path / "c.png").write_bytes(PNG + b"more")
    one, same, other = ids(planned(templates, {"Image": tmp_path}))
    assert same != one, "the second time that it runs"
    assert (
        [one] == ids(planned(templates, {"Image": [tmp_path / "b.png"]})) == ids(planned(templates, {"Image": [PNG]}))
    )
    assert other not in (one, same)


def test_rows_that_run_the_same_are_counted(templates: NodeTemplates) -> None:
    plan = planned(templates, [{"Width": 64}, {"Width": 128}, {"Width": 64}])
    assert [row.repetition for row in plan] == [0, 0, 1]
    assert len({*ids(plan)}) == 3
    product = planned(templates, {"Width": [64, 64], "Height": [8, 16, 8]})
    assert [row.repetition for row in product] == [0, 0, 1, 2, 1, 3]
    assert {*ids(planned(templates, {"Width": [64], "Height": [8, 16]}))} < {*ids(product)}


def test_texts_that_become_equal_are_counted(templates: NodeTemplates) -> None:
    what = {"Positive Prompt": ["a cat dog", "a dog dog"], "animal": replace("Positive Prompt", "dog", ["dog", "cat"])}
    plan = planned(templates, {**what, "other": replace("Positive Prompt", "cat", ["cat"])}, on_bad_row="skip")
    assert [bool(row.problems) for row in plan] == [False, False, True, False]
    assert [row.repetition for row in plan if row.values["Positive Prompt"] == "a cat cat"] == [0, 1]
    assert len({*ids(plan)}) == 4


# Order


def test_rows_that_share_models_run_together(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Width": [64, 128], "Model": ["huge", "tiny"]})
    assert order(plan) == [[0, 2], [1, 3]]
    assert plan.models == (3, 3)
    assert str(plan) == "4 rows, 3 models loaded once each"


def test_the_main_model_changes_slowest(templates: NodeTemplates) -> None:
    rows = [
        {"vae.vae_model": vae, "Model": model}
        for vae in ("vae", {**VAE, "key": "k-other", "hash": "h-other", "name": "other"})
        for model in ("tiny", "huge")
    ]
    server = ServerNames(models=[VAE, {**VAE, "key": "k-other", "hash": "h-other", "name": "other"}, TINY, HUGE])
    plan = planned(templates, rows, server=server)
    assert order(plan) == [[0], [2], [1], [3]]
    assert plan.models == (4, 6)
    assert str(plan) == "4 rows, 4 models, 6 loads"


def test_what_the_server_cannot_set_by_row_makes_groups_in_the_order_of_the_rows(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Use Cpu": [False, True], "Board": ["Cats", "none"], "Width": [64, 128]})
    assert order(plan) == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_what_the_server_can_set_by_row_makes_one_group(templates: NodeTemplates) -> None:
    what = {
        "Positive Prompt": ["a", "b"],
        "Width": [64],
        "Radius": [1, 2.5],
        "Blur Type": ["box", "gaussian"],
        "Image": ["a.png", PNG],
    }
    assert order(planned(templates, what, seeds=2)) == [[*range(32)]]


def test_an_empty_value_is_part_of_the_graph(templates: NodeTemplates) -> None:
    optional = {
        **document(),
        "edges": [],
        "nodes": [*document()["nodes"], node("meta", "core_metadata", "2.1.0", seed=5)],
    }
    plan = planned(templates, {("meta", "seed"): [1, None, 2]}, document=optional)
    assert order(plan) == [[0, 2], [1]]


def test_random_seeds_and_drawn_prompts_need_no_other_graph(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Positive Prompt": ["{a|b}"] * 5}, seeds="random", dynamic_prompts="random")
    assert order(plan) == [[0, 1, 2, 3, 4]]


def test_each_row_that_can_run_is_in_one_group(templates: NodeTemplates) -> None:
    plan = planned(templates, {"Model": ["tiny", "lost", "huge"], "Width": [64, 65]}, on_bad_row="skip")
    assert order(plan) == [[0], [4]]


def test_a_huge_product_is_counted_and_read_but_does_not_run(templates: NodeTemplates) -> None:
    what = {("add", "a"): range(10**4), ("add", "b"): range(10**4), "Radius": range(10**4)}
    plan = planned(templates, what)
    assert len(plan) == 10**12
    assert str(plan) == "1,000,000,000,000 rows"
    assert [*plan.row(10**12 - 1).values.values()] == [9_999] * 3
    with pytest.raises(PlanError, match="too many to run: 10,000,000 at most"):
        plan.groups()


def test_huge_products_whose_rows_could_be_equal_are_refused(templates: NodeTemplates) -> None:
    what = {("add", "a"): [*range(10**4), 1], ("add", "b"): range(10**4)}
    with pytest.raises(PlanError, match="too many to tell equal rows apart"):
        planned(templates, what).row(0)
