"""What all contestants' scripts share: how they are called, and what they print."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONCURRENCY = 8
"""Transfers in flight at a time, for those that can."""


def run(**contests: Callable[..., Any]) -> None:
    """Run the contest of the command line, and print its result, the CPU time and the peak memory of this process."""
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    result = contests[name](**arguments)
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    print(json.dumps({"result": result, "cpu": time.process_time(), "memory": peak_memory()}))


def peak_memory() -> float:
    """Return the largest resident size of this process so far, in MiB."""
    # What getrusage tells includes the process that started this one.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def batch_of(graph: str, **values: list[Any]) -> dict[str, Any]:
    """Return the body of enqueue_batch for a graph of one node, with a row for each of the values."""
    batch: dict[str, Any] = {"graph": json.loads(Path(graph).read_text()), "runs": 1}
    if values:
        (node_id,) = batch["graph"]["nodes"]
        batch["data"] = [[{"node_path": node_id, "field_name": name, "items": items} for name, items in values.items()]]
    return {"prepend": False, "batch": batch}
