"""Programs that some tests need beside Python: `python -m tests.programs` installs those that are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

SHELLS = ("zsh", "fish")
"""Shells that few machines have."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chrome.exe")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)
WITHOUT_BROWSER = "BROWSER TESTS DID NOT RUN: install Chromium or Chrome, then run the tests again"

NOT_RUN = pytest.StashKey[dict[str, None]]()
"""Why tests did not run, in the order in which that was found out. The last lines of the test run say so."""


def find_chromium() -> str | None:
    """Return the path of an installed browser, if there is one."""
    on_path = filter(None, map(shutil.which, NAMES))
    return next(on_path, None) or next((place for place in PLACES if Path(place).is_file()), None)


def browser_path(request: pytest.FixtureRequest) -> str:
    """Return the path of an installed browser; without one, the test is skipped."""
    return find_chromium() or _skip(request, WITHOUT_BROWSER)


def shell_path(request: pytest.FixtureRequest, name: str) -> str:
    """Return the path of an installed shell; without it, the test is skipped."""
    return shutil.which(name) or _skip(request, f"TESTS OF COMPLETION DID NOT RUN: install {name}, then run them again")


def _skip(request: pytest.FixtureRequest, why: str) -> NoReturn:
    request.config.stash.setdefault(NOT_RUN, {})[why] = None
    pytest.skip(why)


def install() -> None:
    """Install what is missing from Debian's packages, as root on Debian; elsewhere do nothing."""
    missing = [name for name in SHELLS if shutil.which(name) is None]
    if find_chromium() is None:
        missing.insert(0, "chromium")
    if missing and sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {', '.join(missing)} for the tests ...", flush=True)
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "-qq", *arguments], check=True, env=environment)


if __name__ == "__main__":
    install()
