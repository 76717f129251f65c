"""The names of the files in which `run` saves images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.plans import document
from tests.support.scripted_server import ScriptedServer

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, WorkflowHandle
from invokeai_py_client.cli.image_names import ImageNames
from invokeai_py_client.errors import SettingsError


async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    """Nothing is run here."""


@pytest.fixture(scope="module")
def wf() -> Iterator[WorkflowHandle]:
    with ScriptedServer(play) as server, InvokeAIClient.from_url(server.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document()))
        wf.inputs["Positive Prompt"].value = "a cat: 1/2"
        yield wf


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("tiger", ["tiger-1.png", "tiger-2.webp"]),
        ("{Positive Prompt:.5}-{index}", ["a cat-0.png", "a cat-1.webp"]),
        ("{Width}x{Height}", ["64x64.png", "64x64_2.webp"]),
        ("{Positive Prompt}", ["a cat_ 1_2.png", "a cat_ 1_2_2.webp"]),
        # The seed is drawn on the server.
        ("{index:03}-{seed}", ["000.png", "001.webp"]),
    ],
)
def test_a_template_names_values(wf: WorkflowHandle, tmp_path: Path, template: str, names: list[str]) -> None:
    assert ImageNames(template, wf, tmp_path / "new").of(["x.png", "y.webp"]) == names


def test_what_is_there_is_not_overwritten(wf: WorkflowHandle, tmp_path: Path) -> None:
    for name in ("tiger.png", "64.png"):
        (tmp_path / name).touch()
    assert ImageNames("tiger", wf, tmp_path).of(["x.png"]) == ["tiger_2.png"]
    assert ImageNames("{Width}", wf, tmp_path).of(["x.png"]) == ["64_2.png"]


def test_a_seed_that_is_set_is_known(wf: WorkflowHandle, tmp_path: Path) -> None:
    wf.inputs["noise", "seed"].set(7, override_edge=True)
    assert ImageNames("{seed}", wf, tmp_path).of(["x.png"]) == ["7.png"]


def test_an_input_that_is_not_there_is_refused(wf: WorkflowHandle, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'Heigth' is unknown"):
        ImageNames("{Heigth}", wf, tmp_path)
