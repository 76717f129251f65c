"""The demo, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from invokeai_py_client.cli import demo
from invokeai_py_client.local import LocalServer


def run_demo(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invokeai_py_client.cli.demo"],
        env={**os.environ, "INVOKEAI_URL": url},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_leaves_a_picture_and_a_contact_sheet_and_says_where(server: LocalServer, tmp_path: Path) -> None:
    done = run_demo(server.url, tmp_path)
    assert done.returncode == 0, done.stderr
    (picture,) = (tmp_path / "out").glob("*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "$ invokeai-client run out/text-to-image-sd15.json" in done.stdout
    assert f"out/{picture.name}\n" in done.stdout
    assert len([*(tmp_path / "out" / "sweep").glob("0*.png")]) == 6
    for made in ("index.html", "contact_sheet.png"):
        assert (tmp_path / "out" / "sweep" / made).is_file()
        assert f"out/sweep/{made}\n" in done.stdout


def test_an_extra_that_is_missing_is_reported_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert demo.main() == 1
    assert capsys.readouterr().err.startswith("demo: The demo needs click and rich and Pillow, which this Python")


def test_a_server_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    done = run_demo("http://127.0.0.1:1", tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("demo: GET http://127.0.0.1:1/api/v1/")
