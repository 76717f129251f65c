from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.browser import chromium


def test_without_a_browser_the_last_line_says_that_tests_did_not_run() -> None:
    if any(Path(place).is_file() for place in chromium.PLACES):
        pytest.skip("This machine has a browser at a place that cannot be taken away.")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/browser/test_page.py",
        "-k",
        "zoomed",
    ]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root, env=os.environ | {"PATH": ""})
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == chromium.MISSING
    assert "1 skipped" in done.stdout


def test_only_root_on_debian_gets_a_browser_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    found: dict[str, str] = {}
    monkeypatch.setattr(shutil, "which", found.get)
    monkeypatch.setattr(chromium, "PLACES", ())
    monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    chromium.install()
    assert commands == []
    found["apt-get"] = "/usr/bin/apt-get"
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    chromium.install()
    assert commands == []
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    chromium.install()
    assert [command[-1] for command in commands] == ["update", "chromium"]
    found["google-chrome"] = "/usr/bin/google-chrome"
    commands.clear()
    chromium.install()
    assert commands == []
