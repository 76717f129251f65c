"""Many servers as one: the rows of a CSV file run on all of them, each row on one.

    python examples/fleet.py workflow.json prompts.csv out http://gpu1:9090 http://gpu2:9090

A fast server runs more rows than a slow one. If a server is lost, the others take over its rows. If the script is
stopped, the same command resumes the batch, also with other servers.
"""

from __future__ import annotations

import sys
from collections import Counter

from invokeai_py_client import Fleet
from invokeai_py_client.errors import InvokeAIError


def main(workflow: str, table: str, folder: str, *servers: str) -> int:
    """Run the rows; return how many have failed."""
    with Fleet(servers) as fleet:
        for server in fleet.status():
            devices = [*(server.devices or {}).values()]
            print(f"{server.name}: {server.state}, {server.slots} slots, devices: {devices}", file=sys.stderr)
        wf = fleet.workflow(workflow)
        wf.sync_dnn_model()
        batch = fleet.submit(wf.plan(table), folder=folder, report=True)
        for row in batch.as_completed():
            print(f"row {row.index} {row.status} on {row.server}", file=sys.stderr)
        done = Counter(row.server for row in batch.results() if row.status == "completed")
        for url, rows in sorted(done.items()):
            print(f"{url} {rows}")
        for failure in batch.failures():
            print(failure, file=sys.stderr)
        return batch.counts["failed"]


if __name__ == "__main__":
    try:
        sys.exit(1 if main(*sys.argv[1:]) else 0)
    except InvokeAIError as error:
        sys.exit(str(error))
