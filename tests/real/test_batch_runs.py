"""Batches on a real server: a grid that grows, a table with a bad cell, a sweep with its page, and a second look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, WorkflowHandle


@pytest.fixture
def wf(client: InvokeAIClient, blur: dict[str, Any]) -> WorkflowHandle:
    return client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(blur))


def enqueued(client: InvokeAIClient) -> int:
    """Return how many items the queue has had."""
    return int(client._make_request("GET", "/queue/default/status").json()["queue"]["total"])


def test_another_value_of_x_runs_five_rows(wf: WorkflowHandle, client: InvokeAIClient, tmp_path: Path) -> None:
    radii = [1.0, 2.0, 3.0, 4.0, 5.0]
    before = enqueued(client)
    batch = wf.plan({"Width": [64, 72, 80, 88, 96], "Radius": radii}).submit(tmp_path)
    assert batch.wait(120).counts["completed"] == 25
    assert enqueued(client) == before + 25
    names = {path.name for path in tmp_path.glob("*.png")}
    batch = wf.plan({"Width": [64, 72, 76, 80, 88, 96], "Radius": radii}).submit(tmp_path)
    rows = batch.results(120)
    assert enqueued(client) == before + 30
    assert [row.values for row in rows] == [
        {"Width": width, "Radius": radius} for width in (64, 72, 76, 80, 88, 96) for radius in radii
    ]
    for row in rows:
        with Image.open(row.files[0].path) as image:
            assert image.width == row.values["Width"]
    assert names < {path.name for path in tmp_path.glob("*.png")}


def test_a_table_with_a_bad_cell(wf: WorkflowHandle, client: InvokeAIClient, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("Width,Radius\n64,1.5\n64,many\n72,2.5\n")
    batch = wf.plan(table, on_bad_row="skip").submit(tmp_path / "out")
    rows = batch.results(120)
    assert [row.status for row in rows] == ["completed", "invalid", "completed"]
    assert "Radius" in (rows[1].error or "")
    assert (rows[1].files, rows[1].attempts) == ((), 0)


def test_a_sweep_of_24(wf: WorkflowHandle, client: InvokeAIClient, tmp_path: Path) -> None:
    batch = wf.sweep(
        {"Width": [64, 72, 80, 88], "Radius": [1.25, 2.25, 3.25], "blur.blur_type": ["box", "gaussian"]}, tmp_path
    )
    told = [row.index for row in batch.as_completed()]
    assert sorted(told) == [*range(24)]
    assert batch.wait(60).counts["completed"] == 24
    assert len(batch.images) == 24
    sheets = sorted(path.name for path in tmp_path.glob("contact_sheet*.png"))
    assert sheets == ["contact_sheet-2.png", "contact_sheet.png"], "one for each kind of blur"
    shown = "".join(path.read_text() for path in (tmp_path / "report").glob("rows-*.js"))
    assert all(row.files[0].path.name in shown for row in batch.results())
    assert (tmp_path / "index.html").exists()


def test_a_batch_is_found_again(wf: WorkflowHandle, client: InvokeAIClient, tmp_path: Path) -> None:
    first = wf.plan({"Radius": [1.75, 2.75]}, seeds=None).submit(tmp_path)
    first.wait(60)
    by_folder = client.batch_run(tmp_path)
    assert by_folder.wait(60).counts["completed"] == 2
    assert [row["values"] for row in by_folder.to_rows()] == [{"Radius": 1.75}, {"Radius": 2.75}]
    by_id = client.batch_run(batch_id=first.batch_id)
    assert [row.values for row in by_id.results(60)] == [{"blur.radius": 1.75}, {"blur.radius": 2.75}]
    assert [image.name for image in by_id.images] == [image.name for image in first.images]
