"""`codegen` as a program on the real server: the module that it writes runs there."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import CLI

from invokeai_py_client import InvokeAIClient, Run, WorkflowDefinition, errors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder in which the command runs."""
    return tmp_path / "cwd"


@pytest.fixture
def imported(folder: Path) -> Iterator[Callable[[str], Any]]:
    """Imports a module of the folder."""
    names = []

    def load(name: str) -> Any:
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        names.append(name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in names:
        sys.modules.pop(name, None)


def test_the_module_of_the_tiny_models_workflow_runs(
    cli: CLI,
    folder: Path,
    imported: Callable[[str], Any],
    client: InvokeAIClient,
    text_to_image: WorkflowDefinition,
    tmp_path: Path,
) -> None:
    (folder / "flows").mkdir()
    text_to_image.save(folder / "flows" / "tiger.json")
    data = cli("codegen", folder / "flows" / "tiger.json", "-o", "tiger.py").data()
    assert data == {"workflow": "Text to Image - SD1.5", "file": "tiger.py"}
    tiger = imported("tiger")

    (model,) = client.models.list_models(type="main")
    inputs = tiger.Inputs(model=model, positive_prompt="a tiger cub", width=72, steps=2)
    run: Run = tiger.run(client, inputs, seed=7, timeout=60)
    (image,) = run.images
    saved = image.save(tmp_path / "out")
    again = WorkflowDefinition.from_image(saved)
    values = [named["value"] for node in again.all_nodes for name, named in node.inputs.items() if name == "prompt"]
    assert "a tiger cub" in values
    assert client.image_repo.get_image(image.name).width == 72
    assert tiger.submit(client, inputs, seed=7).result().status == "completed"

    plan = tiger.plan(client, {"steps": [1, 2], "width": [64, 72]}, inputs, seeds=2)
    assert [axis.name for axis in plan.axes] == ["Steps", "Width", "seed"]
    assert plan.submit(tmp_path / "batch").wait(120).counts["completed"] == 8

    with pytest.raises(errors.InputValueError, match="'Width'"):
        tiger.submit(client, tiger.Inputs(model=model, width=71))


def test_a_changed_form_is_told_with_the_command_that_mends_it(
    cli: CLI, blur: dict[str, Any], folder: Path, imported: Callable[[str], Any], client: InvokeAIClient
) -> None:
    file = folder / "blur.json"
    file.write_text(json.dumps(blur), encoding="utf-8")
    cli("codegen", "blur.json", "-o", "before.py").data()
    before = imported("before")
    assert len(before.run(client, before.Inputs(width=80, radius=1.5)).images) == 1

    blur["exposedFields"][0] = {"nodeId": "blank", "fieldName": "height"}
    file.write_text(json.dumps(blur), encoding="utf-8")
    with pytest.raises(errors.FormChangedError):
        before.plan(client, {"width": [64]})
    with pytest.raises(errors.FormChangedError) as raised:
        before.run(client, before.Inputs())
    assert raised.value.changes == ("'Width' was removed", "'Height' was added")
    command = raised.value.hint.partition("Generate the module again: invokeai-client ")[2].split()
    assert cli(*command).data()["file"] == str(folder / "before.py")
    after = imported("before")
    assert after.run(client, after.Inputs(height=80)).images[0].refresh().height == 80


def test_the_text_of_the_module_goes_to_stdout_also_into_a_pipe(cli: CLI, blur_file: Path, folder: Path) -> None:
    ended = cli("codegen", blur_file)
    assert ended.exit_code == 0
    assert f'WORKFLOW = Path(__file__).parent / "../{blur_file.name}"' in ended.out.splitlines()
    data = cli("codegen", blur_file, "--format", "json").data()
    assert data == {"workflow": "blur", "file": None, "module": ended.out}
    assert cli("codegen", blur_file, "-o", "a.py", "--format", "quiet").out == "a.py\n"
    assert (folder / "a.py").read_text(encoding="utf-8") == ended.out
    ended = cli("codegen", "nowhere.json")
    assert (ended.exit_code, ended.out) == (5, "")
    assert "is neither a file nor a workflow" in ended.err


def test_a_workflow_of_the_library_of_an_image_and_of_stdin(
    cli: CLI, blur: dict[str, Any], blur_file: Path, imported: Callable[[str], Any], client: InvokeAIClient
) -> None:
    cli("codegen", "Text to Image - SD1.5", "-o", "library.py").data()
    library = imported("library")
    assert library.WORKFLOW == "Text to Image - SD1.5"
    assert library.prepare(client, None).inputs["Width"].value == 512

    (image,) = cli("run", blur_file, "--set", "Width=48", "--out", ".").data()["images"]
    cli("codegen", image["file"], "-o", "image.py").data()
    from_image = imported("image")
    assert from_image.Inputs().width == 48
    assert len(from_image.run(client, from_image.Inputs()).images) == 1

    cli("codegen", "-", "-o", "piped.py", stdin=json.dumps(blur)).data()
    piped = imported("piped")
    assert len(piped.run(client, piped.Inputs(width=40), workflow=blur_file).images) == 1


def test_a_file_that_was_written_by_hand_stays(cli: CLI, blur_file: Path, folder: Path) -> None:
    file = folder / "mine.py"
    file.write_text("print('mine')\n", encoding="utf-8")
    ended = cli("codegen", blur_file, "-o", "mine.py")
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (2, "file_error")
    assert error["hint"] == "Pass --force to replace it."
    assert file.read_text(encoding="utf-8") == "print('mine')\n"
    assert cli("codegen", blur_file, "-o", "mine.py", "--force").data()["file"] == "mine.py"
    assert cli("codegen", blur_file, "-o", "mine.py").exit_code == 0


def test_failures(cli: CLI, blur_file: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    for arguments, exit_code, code in (
        ([tmp_path / "broken.json"], 2, "bad_input"),
        ([blur_file, "-o", tmp_path / "broken.json" / "a.py"], 2, "file_error"),
        ([blur_file, "--url", "http://127.0.0.1:9"], 3, "unreachable"),
        ([], 2, "usage"),
    ):
        ended = cli("codegen", *arguments, "--format", "json")
        assert (ended.exit_code, ended.error()["code"]) == (exit_code, code)
