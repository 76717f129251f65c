"""Every Python block of the README and of docs/ runs as it is written, but for the server's address."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from invokeai_py_client import WorkflowDefinition
from invokeai_py_client.local import LocalServer

ROOT = Path(__file__).parents[2]
BLOCKS = [
    (f"{path.name}-{number}", code)
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL))
]


def a_picture_was_saved(printed: str, folder: Path) -> bool:
    (picture,) = (folder / "out").iterdir()
    return "100 %" in printed and picture.read_bytes().startswith(b"\x89PNG")


def every_step_was_told(printed: str, folder: Path) -> bool:
    steps = [f"denoise_latents: step {step} of 8" for step in range(1, 9)]
    told = [line for line in printed.splitlines() if "step" in line and "step 0" not in line]
    return told == steps and "done: l2i" in printed and printed.splitlines()[-1] == "completed"


def the_board_was_downloaded(printed: str, folder: Path) -> bool:
    pictures = [*(folder / "tigers").glob("*.png")]
    return len(pictures) == 1 and printed.endswith(f"{len(pictures)} downloaded, 0 failed\n")


def the_sweep_is_complete(printed: str, folder: Path) -> bool:
    images, sheet = [*(folder / "sweep").rglob("0*.png")], folder / "sweep" / "contact_sheet.png"
    is_there = sheet.is_file() and (folder / "sweep" / "index.html").is_file()
    return len(images) == 4 and is_there and printed.count("completed") == 5 and "'completed': 4" in printed


EVIDENCE = {
    "README.md-0": a_picture_was_saved,
    "README.md-1": every_step_was_told,
    "README.md-2": the_board_was_downloaded,
    "README.md-3": the_sweep_is_complete,
}


@pytest.mark.parametrize(("name", "code"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_a_block_runs(
    name: str,
    code: str,
    server: LocalServer,
    text_to_image: WorkflowDefinition,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    text_to_image.save("workflow.json")
    assert "http://127.0.0.1:9090" in code
    exec(compile(code.replace("http://127.0.0.1:9090", server.url), name, "exec"), {})
    assert EVIDENCE[name](capsys.readouterr().out, tmp_path)


def test_the_readme_has_a_first_script_of_about_fifteen_lines() -> None:
    first = dict(BLOCKS)["README.md-0"]
    assert len([line for line in first.splitlines() if line.strip()]) <= 15


def test_what_the_readme_points_to_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
        assert (ROOT / target).exists(), target
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in re.findall(r"`?make (\w+)", text):
        assert f"\n{command}:" in makefile, command
