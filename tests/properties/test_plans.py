"""Whatever is planned, the rows are those that were asked for, and are known again."""

from __future__ import annotations

import itertools
import math
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.openapi import node_templates
from tests.support.plans import SERVER, cells, planned

from invokeai_py_client.batch.plan_data import PlanData
from invokeai_py_client.batch.plan_file import read_plan, save_plan
from invokeai_py_client.batch.planner import Planner
from invokeai_py_client.batch.sources import replace
from invokeai_py_client.workflow.field_values import WorkflowFields

TEMPLATES = node_templates()

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(2**31), 2**31 - 1)

COLUMNS: dict[Any, st.SearchStrategy[Any]] = {
    "Positive Prompt": texts,
    ("add", "a"): numbers,
    "Radius": st.floats(0, 100) | st.integers(0, 100),
    "Model": st.sampled_from(["tiny", "k-huge", "huge"]),
    "Use Cpu": st.booleans(),
    "Board": st.sampled_from(["Cats", "none", "auto", None]),
    "Image": st.sampled_from(["a.png", "b.png"]),
    "#note": texts | numbers,
}


@st.composite
def columns(draw: st.DrawFn, size: int | None = None) -> dict[Any, list[Any]]:
    keys = draw(st.lists(st.sampled_from([*COLUMNS]), min_size=1, max_size=4, unique=True))
    length = (1, 4) if size is None else (size, size)
    return {key: draw(st.lists(COLUMNS[key], min_size=length[0], max_size=length[1])) for key in keys}


@st.composite
def tables(draw: st.DrawFn) -> list[dict[Any, Any]]:
    zipped = draw(columns(size=draw(st.integers(1, 8))))
    return [dict(zip(zipped, row, strict=True)) for row in zip(*zipped.values(), strict=True)]


def shown(key: Any, value: Any) -> Any:
    return {"k-huge": "huge"}.get(value, value) if key == "Model" else value


def values(what: dict[Any, list[Any]], combine: Any) -> list[tuple[Any, ...]]:
    """Return the rows that columns make, by Python's own means."""
    return [*combine(*([shown(key, value) for value in those] for key, those in what.items()))]


@given(columns())
def test_a_product_has_the_rows_of_itertools_in_the_same_order(what: dict[Any, list[Any]]) -> None:
    plan = planned(TEMPLATES, what)
    assert cells(plan) == values(what, itertools.product)
    assert len(plan) == math.prod(map(len, what.values()))


@given(columns(size=3))
def test_a_zip_has_the_rows_of_zip(what: dict[Any, list[Any]]) -> None:
    assert cells(planned(TEMPLATES, what, combine="zip")) == values(what, zip)


@given(columns(), st.integers(1, 20), st.integers())
def test_a_sample_has_as_many_rows_of_the_product_in_its_order(
    what: dict[Any, list[Any]], size: int, seed: int
) -> None:
    # Each row says which it is.
    numbered = {("add", "b"): [*range(5)], **{key: those for key, those in what.items() if key != "#note"}}
    every = planned(TEMPLATES, numbered)
    plan = planned(TEMPLATES, numbered, sample=size, sample_seed=seed)
    assert len(plan) == min(size, len(every))
    everything = iter(cells(every))
    assert all(any(row == other for other in everything) for row in cells(plan)), "a subsequence"


@given(tables(), st.randoms(use_true_random=False))
def test_rows_are_known_again_in_whatever_order(rows: list[dict[Any, Any]], chance: Any) -> None:
    plan = planned(TEMPLATES, rows)
    shuffled = [*rows]
    chance.shuffle(shuffled)
    by_name = [dict(reversed(row.items())) for row in shuffled]
    again = planned(TEMPLATES, by_name)
    assert {row.row_id for row in again} == {row.row_id for row in plan}
    assert len({row.row_id for row in plan}) == len(rows)


@given(columns(), st.data())
def test_a_value_that_is_added_adds_rows_only(what: dict[Any, list[Any]], data: st.DataObject) -> None:
    plan = planned(TEMPLATES, what)
    key = data.draw(st.sampled_from([*what]))
    more = {**what, key: [*what[key], data.draw(COLUMNS[key])]}
    grown = {row.row_id for row in planned(TEMPLATES, more)}
    assert {row.row_id for row in plan} <= grown
    assert len(grown) == len(plan) // len(what[key]) * (len(what[key]) + 1)


@given(columns(), st.sampled_from([None, 2, "random"]))
def test_each_row_is_in_one_group_and_rows_of_a_group_share_their_models(
    what: dict[Any, list[Any]], seeds: Any
) -> None:
    plan = planned(TEMPLATES, what, seeds=seeds)
    groups = [[*group] for group in plan.groups()]
    assert sorted(row.index for group in groups for row in group) == [*range(len(plan))]
    assert all([row.index for row in group] == sorted(row.index for row in group) for group in groups)
    for name in ("Model", "Use Cpu", "Board"):
        assert all(len({repr(row.values.get(name)) for row in group}) == 1 for group in groups)
    models = [group[0].values.get("Model") for group in groups]
    assert len([*itertools.groupby(models)]) == len({*models}), "each model is loaded once"


def loaded(plan: PlanData) -> PlanData:
    with tempfile.TemporaryDirectory() as folder:
        saved = read_plan(save_plan(plan, Path(folder, "plan.json")))
    fields = WorkflowFields(saved.definition, TEMPLATES)
    return Planner(saved.definition, saved.definition, TEMPLATES, fields).restored(saved).finished(SERVER, "raise")


@settings(max_examples=50)
@given(columns(), st.sampled_from([None, 2, [5, 5], "random"]), st.sampled_from([None, 3]), st.booleans())
def test_a_plan_comes_back_from_a_file(
    what: dict[Any, list[Any]], seeds: Any, sample: int | None, replaces: bool
) -> None:
    if replaces and "Positive Prompt" not in what:
        what = {**what, "animal": replace("Positive Prompt", "cat", ["cat", "{cat}"])}  # type: ignore[dict-item]
    plan = planned(TEMPLATES, what, seeds=seeds, sample=sample)
    again = loaded(plan)
    assert [*again] == [*plan]
    assert again.shown_axes == plan.shown_axes
    assert [[*group] for group in again.groups()] == [[*group] for group in plan.groups()]
