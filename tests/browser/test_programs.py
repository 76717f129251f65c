from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests import programs


def test_without_a_browser_the_last_line_says_that_tests_did_not_run() -> None:
    if any(Path(place).is_file() for place in programs.PLACES):
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
    assert done.stdout.splitlines()[-1] == programs.WITHOUT_BROWSER
    assert "1 skipped" in done.stdout


def test_only_root_on_debian_gets_programs_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    found: dict[str, str] = {}
    monkeypatch.setattr(shutil, "which", found.get)
    monkeypatch.setattr(programs, "PLACES", ())
    monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    programs.install()
    assert commands == []
    found["apt-get"] = "/usr/bin/apt-get"
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    programs.install()
    assert commands == []
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    programs.install()
    assert [command[2:] for command in commands] == [
        ["update"],
        ["install", "--yes", "--no-install-recommends", "chromium", "zsh", "fish"],
    ]
    found |= {name: f"/usr/bin/{name}" for name in ("google-chrome", "zsh")}
    commands.clear()
    programs.install()
    assert commands[-1][-2:] == ["--no-install-recommends", "fish"]
    found["fish"] = "/usr/bin/fish"
    commands.clear()
    programs.install()
    assert commands == []
