"""Programs that some tests need beside Python: `python -m tests.programs` installs those that are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SHELLS = ("zsh", "fish")
"""Shells that few machines have."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chrome.exe")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)

NOT_RUN = "DID NOT RUN"
"""What a reason has in it that the last lines of the test run repeat."""
WITHOUT_BROWSER = f"BROWSER TESTS {NOT_RUN}: install Chromium or Chrome, then run the tests again"


def find_chromium() -> str | None:
    """Return the path of an installed browser, if there is one."""
    on_path = filter(None, map(shutil.which, NAMES))
    return next(on_path, None) or next((place for place in PLACES if Path(place).is_file()), None)


def browser_path() -> str:
    """Return the path of an installed browser; without one, the test is skipped."""
    return find_chromium() or pytest.skip(WITHOUT_BROWSER)


def shell_path(name: str) -> str:
    """Return the path of an installed shell; without it, the test is skipped."""
    return shutil.which(name) or pytest.skip(f"TESTS OF COMPLETION {NOT_RUN}: install {name}, then run them again")


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
