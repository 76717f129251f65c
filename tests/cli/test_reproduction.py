"""`reproduce` and `recall` on the real server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow
from tests.cli.conftest import CLI

from invokeai_py_client import InvokeAIClient, WorkflowDefinition


@pytest.fixture
def tiger_file(text_to_image: WorkflowDefinition, tmp_path: Path) -> Path:
    """A workflow that draws its seed at random."""
    path = tmp_path / "tiger.json"
    path.write_text(json.dumps(text_to_image.to_dict()), encoding="utf-8")
    return path


def made_by(cli: CLI, *arguments: object) -> Path:
    (image,) = cli("run", *arguments, "--out", "made").data()["images"]
    return Path("made", image["name"])


def test_equal_pixels_come_out_of_the_same_seed(cli: CLI, tiger_file: Path, tmp_path: Path) -> None:
    made = made_by(cli, tiger_file, "--seed", 3)
    found = cli("reproduce", made, "--out", "again").data()
    assert (found["equal"], found["difference"], found["notes"]) == (True, None, [])
    # It was run again, not taken from the server's cache.
    assert found["image"] != made.name
    assert (tmp_path / "cwd" / found["file"]).is_file()
    ended = cli("reproduce", made, "--format", "human")
    assert ended.out.startswith("The pixels are equal: ")


def test_a_seed_that_was_drawn_is_found_or_told(cli: CLI, tiger_file: Path, tmp_path: Path) -> None:
    made = made_by(cli, tiger_file)
    assert cli("reproduce", made.name).data()["notes"] == []
    # Under another name, the server cannot tell what it had drawn.
    shutil.copy(tmp_path / "cwd" / made, tmp_path / "other.png")
    ended = cli("reproduce", tmp_path / "other.png")
    error = ended.error()
    assert (ended.exit_code, error["code"]) == (1, "differs")
    assert error["details"]["equal"] is False
    assert error["details"]["difference"]["of"] == 64 * 64
    assert "at random" in error["details"]["notes"][0]
    assert "at random" in error["hint"]


def test_a_row_of_a_batch_is_reproduced_with_its_own_values(cli: CLI, blur_file: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("Width,Radius\n72,1\n80,3\n")
    cli("batch", blur_file, rows, "--out", tmp_path / "rows").data()
    lines = [json.loads(line) for line in (tmp_path / "rows" / "manifest.jsonl").read_text().splitlines()]
    files = {line["index"]: tmp_path / "rows" / line["files"][0]["path"] for line in lines}
    for index, width in enumerate((72, 80)):
        found = cli("reproduce", files[index], "--out", tmp_path / "again").data()
        assert found["equal"]
        with Pillow.open(tmp_path / "again" / found["image"]) as image:
            assert image.width == width


def test_what_cannot_be_reproduced(cli: CLI, tmp_path: Path) -> None:
    Pillow.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    (tmp_path / "text.png").write_text("no image")
    for image in ("plain.png", "text.png"):
        ended = cli("reproduce", tmp_path / image)
        assert (ended.exit_code, ended.error()["code"]) == (2, "bad_input")
    ended = cli("reproduce", "no-such-image.png")
    assert (ended.exit_code, ended.error()["code"]) == (5, "not_found")
    ended = cli("recall", tmp_path / "plain.png")
    assert (ended.exit_code, ended.error()["code"]) == (2, "bad_input")
    ended = cli("recall", tmp_path / "plain.png", "--row", 3)
    assert (ended.exit_code, ended.error()["code"]) == (2, "usage")


def test_parameters_reach_the_web_ui(cli: CLI, tiger_file: Path, client: InvokeAIClient, tmp_path: Path) -> None:
    made = made_by(cli, tiger_file, "--seed", 5, "--set", "Positive Prompt=a lion")
    with client.stream_queue_events() as events:
        recalled = cli("recall", made).data()
        event = next(event for event in events if event.get("name") == "recall_parameters_updated")
    pushed: dict[str, Any] = event.raw["parameters"]
    assert recalled["missing"] == []
    assert {name: pushed[name] for name in ("positive_prompt", "seed", "steps", "width", "scheduler")} == {
        "positive_prompt": "a lion",
        "seed": 5,
        "steps": 8,
        "width": 64,
        "scheduler": "euler",
    }
    assert pushed["model"] == client.models.resolve("tiny-sd-1").key
    assert "seed" in cli("recall", made.name, "--format", "quiet").out.splitlines()


def test_parameters_and_pixels_of_a_row_with_its_own_seed(cli: CLI, tiger_file: Path, tmp_path: Path) -> None:
    """The column replaces the edge from the node that draws the seed."""
    rows = tmp_path / "rows.csv"
    rows.write_text("Positive Prompt,seed\none,1\ntwo,2\n")
    cli("batch", tiger_file, rows, "--out", tmp_path / "rows").data()
    recalled = cli("recall", tmp_path / "rows", "--row", 1).data()["recalled"]
    assert (recalled["positive_prompt"], recalled["seed"]) == ("two", 2)
    lines = [json.loads(line) for line in (tmp_path / "rows" / "manifest.jsonl").read_text().splitlines()]
    (file,) = (tmp_path / "rows" / line["files"][0]["path"] for line in lines if line["index"] == 1)
    found = cli("reproduce", file).data()
    assert (found["equal"], found["notes"]) == (True, [])
    ended = cli("recall", tmp_path / "rows", "--row", 7)
    assert (ended.exit_code, ended.error()["code"]) == (5, "not_found")


def test_a_model_that_the_server_lacks_is_told(cli: CLI, tiger_file: Path, tmp_path: Path) -> None:
    made = tmp_path / "cwd" / made_by(cli, tiger_file)
    from PIL.PngImagePlugin import PngInfo

    with Pillow.open(made) as image:
        info = PngInfo()
        info.add_text("invokeai_metadata", json.dumps({"model": {"name": "gone"}, "seed": 3}))
        image.save(tmp_path / "edited.png", pnginfo=info)
    ended = cli("recall", tmp_path / "edited.png")
    assert ended.data() == {"recalled": {"seed": 3}, "missing": ["model"]}
    assert "the server has no model named 'gone'" in ended.err
