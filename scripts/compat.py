"""Run the tests of the synchronous mode and of live runs on several versions of the server, and print a table."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Their dependencies are loosely pinned: each is installed as of shortly after its release.
SERVERS = {"6.0.2": "2025-08-01", "6.9.0": "2025-11-01", "6.14.2": None}

TESTS = [
    "tests/real/test_sync_mode.py",
    "tests/real/test_live_runs.py",
    "tests/real/test_events_drive_waits.py",
    "tests/real/test_batches.py",
]


def run(version: str, as_of: str | None) -> tuple[list[str], list[str], list[str]]:
    """The tests that passed, those that failed, and why those that were not run were not."""
    environment = {**os.environ, "INVOKEAI_TEST_SERVER": version, "INVOKEAI_TEST_SERVER_AS_OF": as_of or ""}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *TESTS],
            cwd=ROOT,
            env=environment,
            check=False,
        )
        cases = [*ElementTree.parse(report).iter("testcase")]
    passed, failed, lacking = [], [], []
    for case in cases:
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(str(case.get("name")))
        elif skipped is not None:
            lacking.append(f"{case.get('name')}: {skipped.get('message')}")
        else:
            passed.append(str(case.get("name")))
    return passed, failed, lacking


def main() -> int:
    """Print the table; 1 if a test failed."""
    results = {version: run(version, as_of) for version, as_of in SERVERS.items()}
    print(f"\n{'server':10} {'passed':>7} {'failed':>7} {'not run':>8}")
    for version, (passed, failed, lacking) in results.items():
        print(f"{version:10} {len(passed):7} {len(failed):7} {len(lacking):8}")
        for line in [*(f"failed: {name}" for name in failed), *lacking]:
            print(f"           {line}")
    return 1 if any(failed for _, failed, _ in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
