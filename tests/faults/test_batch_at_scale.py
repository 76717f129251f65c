"""A hundred thousand rows: few requests, little memory."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from typing import Any

from tests.faults.conftest import Told

ROWS = 100_000

PROGRAM = """
import json, sys
from tests.support.batches import Plan, client_of

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

url, count = sys.argv[1], int(sys.argv[2])
with client_of(url) as client:
    batch = client.begin(Plan(range(count)))
    memory = []
    def tell(progress):
        if progress.counts["completed"] >= len(memory) * count / 10:
            memory.append(resident())
    end = batch.wait(1000, progress_callback=tell)
    print(json.dumps([end.counts["completed"], memory]))
"""


def test_a_hundred_thousand_rows(told: Told) -> None:
    command = [sys.executable, "-m", "tests.support.batch_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            program = subprocess.run(
                [sys.executable, "-c", PROGRAM, url, str(ROWS)], stdout=subprocess.PIPE, text=True, check=True
            )
            with urllib.request.urlopen(f"{url}/counts") as response:
                counts: dict[str, Any] = json.load(response)
        finally:
            server.kill()
    completed, memory = json.loads(program.stdout)
    requests = sum(count for route, count in counts["requests"].items() if route not in ("", "counts"))
    assert (completed, counts["items"]) == (ROWS, ROWS)
    assert counts["most_unfinished"] <= 1000
    assert counts["requests"]["enqueue_batch"] < 200
    assert requests < ROWS / 100
    assert max(memory) < 300
    # Some bytes a row tell what became of it; nothing else grows.
    assert memory[-1] - memory[2] < 25
    told(f"{ROWS} rows", f"{requests} requests, {max(memory):.0f} MiB")
