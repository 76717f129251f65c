"""The scripts of `examples/` run as their headers say."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from invokeai_py_client.local import LocalServer

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


def run_example(server: LocalServer, name: str, *arguments: str, code: int = 0) -> str:
    """Run a script in the current folder, and return what it prints to stdout."""
    result = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *arguments],
        env=os.environ | {"INVOKEAI_URL": server.url},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == code, result.stderr
    return result.stdout


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_an_example_is_short_and_says_what_it_shows(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    header = ast.get_docstring(ast.parse(text))
    assert header is not None
    assert re.search(rf"^    .*\b{path.stem}(\.py|:app)", header, re.MULTILINE), "the header has no command"


def test_text_to_image(server: LocalServer, folder: Path) -> None:
    (saved,) = run_example(server, "text_to_image", "workflow.json", "a tiger cub in the snow", "out").split()
    assert (folder / saved).read_bytes().startswith(b"\x89PNG")


def test_an_error_is_one_line(server: LocalServer, folder: Path) -> None:
    assert run_example(server, "text_to_image", "no-such-file.json", "", "out", code=1) == ""


def test_image_chain(server: LocalServer, folder: Path) -> None:
    printed = run_example(server, "image_chain", "workflow.json", "photo-effects.json", "a tiger cub", "an owl")
    assert len([*(folder / "out").glob("*.png")]) == len(printed.splitlines()) == 2


def test_sweep(server: LocalServer, folder: Path) -> None:
    assert run_example(server, "sweep", "workflow.json", "sweep") == "sweep/index.html\n"
    assert len([*(folder / "sweep").glob("0*.png")]) == 8
    assert (folder / "sweep" / "contact_sheet.png").is_file()


def test_typed_module(server: LocalServer, folder: Path) -> None:
    saved = run_example(server, "typed_module", "photo.png", "effects").split()
    assert len(saved) == 4
    assert all((folder / path).read_bytes().startswith(b"\x89PNG") for path in saved)


def test_fleet(server: LocalServer, second_server: LocalServer, folder: Path) -> None:
    rows = "".join(f"cub {number},2\n" for number in range(12))
    (folder / "many.csv").write_text(f"Positive Prompt,Steps\n{rows}", encoding="utf-8")
    printed = run_example(server, "fleet", "workflow.json", "many.csv", "out", server.url, second_server.url)
    by_server = {url: int(rows) for url, rows in map(str.split, printed.splitlines())}
    assert by_server.keys() == {server.url, second_server.url}
    assert sum(by_server.values()) == len([*(folder / "out").glob("0*.png")]) == 12


def test_nightly(server: LocalServer, folder: Path) -> None:
    """Two nights: in the second one only the line that was added is run."""
    run_example(server, "nightly", "workflow.json", "prompts.csv", "results")
    with (folder / "prompts.csv").open("a", encoding="utf-8") as table:
        table.write("a fox,2\n")
    run_example(server, "nightly", "workflow.json", "prompts.csv", "results")
    lines = (folder / "results" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    manifest = [json.loads(line) for line in lines]
    assert [row["values"]["Positive Prompt"] for row in manifest if "row_id" in row] == [
        "a tiger cub",
        "an owl",
        "a fox",
    ]
    assert "done: " in (folder / "nightly.log").read_text(encoding="utf-8")


@contextlib.contextmanager
def web_application(server: LocalServer) -> Iterator[str]:
    """The FastAPI application in a process of its own, on a free port."""
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "--port", "0", "fastapi_progress:app"]
    environment = os.environ | {"INVOKEAI_URL": server.url, "WORKFLOW": "workflow.json"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            running = (re.search(r"running on (http://\S+)", line) for line in process.stderr)
            url = next((found[1] for found in running if found), None)
            assert url is not None, "uvicorn has ended"
            yield url
        finally:
            process.terminate()


def test_fastapi_progress(server: LocalServer, folder: Path) -> None:
    with web_application(server) as url:
        query = urllib.parse.urlencode({"prompt": "a tiger cub"})
        with urllib.request.urlopen(f"{url}/draw?{query}", timeout=120) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            events = re.findall(r"event: (.*)\ndata: (.*)\n\n", response.read().decode())
        assert [name for name, _ in events][-2:] == ["session_complete", "images"]
        progress = [json.loads(data)["progress"] for name, data in events if name != "images"]
        assert progress == sorted(progress)
        assert progress[-1] == 100
        (name,) = json.loads(events[-1][1])
        with urllib.request.urlopen(f"{url}/images/{name}", timeout=60) as response:
            assert response.read().startswith(b"\x89PNG")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/images/no-such-image.png", timeout=60)
