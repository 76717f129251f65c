"""What `--vary` and `--seeds` mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from tests.support.plans import document
from tests.support.scripted_server import ScriptedServer

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, WorkflowHandle
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.vary import columns_of, read_seeds
from invokeai_py_client.errors import InputNotFoundError


async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    """Nothing is run here."""


@pytest.fixture(scope="module")
def wf() -> Iterator[WorkflowHandle]:
    with ScriptedServer(play) as server, InvokeAIClient.from_url(server.url) as client:
        yield client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(document()))


@pytest.mark.parametrize(
    ("text", "column", "values"),
    [
        ("Width=64,128, 192", "Width", [64, 128, 192]),
        ("width=64..192..64", "width", [64, 128, 192]),
        ("Width=7,1..3", "Width", [7, 1, 2, 3]),
        ("Width=3..1", "Width", [3, 2, 1]),
        ("Width=4..21..4", "Width", [4, 8, 12, 16, 20]),
        ("Radius=0.1..0.5..0.2", "Radius", [0.1, 0.3, 0.5]),
        ("Radius=-1..1", "Radius", [-1, 0, 1]),
        ("1=64", 1, [64]),
        ("noise.width = 64", "noise.width", [64]),
        ("seed=7,9..10", "seed", [7, 9, 10]),
        ("Positive Prompt=a cat, a dog", "Positive Prompt", ["a cat", "a dog"]),
        ('Positive Prompt="a cat, asleep","say ""hi"""', "Positive Prompt", ["a cat, asleep", 'say "hi"']),
        ("Positive Prompt=a=b,4..20", "Positive Prompt", ["a=b", "4..20"]),
        ('Positive Prompt="",a cat', "Positive Prompt", ["", "a cat"]),
        ('Positive Prompt="@home"', "Positive Prompt", ["@home"]),
        ("Use CPU=yes,no", "Use CPU", [True, False]),
        ("Blur Type=box,gaussian", "Blur Type", ["box", "gaussian"]),
        ("Model=tiny,huge", "Model", ["tiny", "huge"]),
        ("Image=@photos", "Image", "photos"),
        ("Image=@photos/*.png", "Image", "photos/*.png"),
        (r"Image=@C:\photos\a.png", "Image", r"C:\photos\a.png"),
        ("Image=a.png,b.png", "Image", ["a.png", "b.png"]),
    ],
)
def test_values_are_lists_ranges_and_files(wf: WorkflowHandle, text: str, column: Any, values: Any) -> None:
    assert columns_of(wf, [text]) == {column: values}


def test_lines_of_a_file_and_several_images(wf: WorkflowHandle, tmp_path: Path) -> None:
    prompts, a, b = tmp_path / "prompts.txt", tmp_path / "a.png", tmp_path / "b.png"
    for file in (prompts, a, b):
        file.touch()
    varied = [f"Positive Prompt=@{prompts}", f"Image=@{a},@{b}"]
    assert columns_of(wf, varied) == {"Positive Prompt": prompts, "Image": [a, b]}


@pytest.mark.parametrize(
    ("varied", "code", "said"),
    [
        (["Width"], "usage", "has no '='"),
        (["Width="], "usage", "has no values"),
        (["Width=1", "Width=2"], "usage", "is there twice"),
        (["Width=1..2..0"], "usage", "The step of 'Width' is 0."),
        (["Width=1..9999999"], "usage", "9,999,999 values"),
        (['Positive Prompt="a cat'], "usage", "unexpected end of data"),
        (["Positive Prompt=@none.txt"], "bad_input", "There is no file 'none.txt'"),
        (["Image=@none.png,@no.png"], "bad_input", "There is no file 'none.png'"),
    ],
)
def test_values_that_cannot_be_read(wf: WorkflowHandle, varied: list[str], code: str, said: str) -> None:
    with pytest.raises(Failure) as caught:
        columns_of(wf, varied)
    assert caught.value.code == code
    assert said in caught.value.message


def test_a_misspelt_key_names_close_matches(wf: WorkflowHandle) -> None:
    with pytest.raises(InputNotFoundError, match="Did you mean 'Positive Prompt'"):
        columns_of(wf, ["Postive Prompt=a"])
    with pytest.raises(InputNotFoundError):
        columns_of(wf, [f"{'7' * 5000}=1"])


@pytest.mark.parametrize(
    ("text", "seeds"),
    [(None, None), ("4", 4), ("random", "random"), ("7,21", [7, 21]), ("7..9", [7, 8, 9]), ("1,4..5", [1, 4, 5])],
)
def test_seeds(text: str | None, seeds: Any) -> None:
    command = click.Command("x")
    assert read_seeds(click.Context(command), click.Option(["--seeds"]), text) == seeds


@pytest.mark.parametrize(
    "text", ["0", "x", "1,x", "", "-3", "--5,3", "-,3", "7" * 5000, "1," + "7" * 5000, "1.." + "7" * 5000]
)
def test_seeds_that_are_none(text: str) -> None:
    with pytest.raises(click.BadParameter, match="neither a number"):
        read_seeds(click.Context(click.Command("x")), click.Option(["--seeds"]), text)
