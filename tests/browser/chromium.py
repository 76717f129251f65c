"""Find a Chromium or Chrome for the browser tests, or install one: `python -m tests.browser.chromium`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chrome.exe")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)
MISSING = "BROWSER TESTS DID NOT RUN: install Chromium or Chrome, then run the tests again"


def find_chromium() -> str | None:
    """Return the path of an installed browser, if there is one."""
    on_path = filter(None, map(shutil.which, NAMES))
    return next(on_path, None) or next((place for place in PLACES if Path(place).is_file()), None)


def install() -> None:
    """Install Debian's package `chromium` where there is no browser, as root on Debian; elsewhere do nothing."""
    if find_chromium() is None and sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing chromium for the browser tests ...", flush=True)
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "-qq", *arguments], check=True, env=environment)


if __name__ == "__main__":
    install()
