"""From the start of an interpreter to the import, and to the first enqueue request at the server.

The floor of the second is a script of a few lines with aiohttp, which sends by hand what the client sends: the
handshake and the subscription of the socket, then the batch, whose graph it reads from a file. It converts no workflow
and checks nothing. All modules are compiled before, those of the libraries too.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.support.scripted_server import WORKFLOW

from benchmarks.scripted_server import ScriptedServer
from benchmarks.show import show
from benchmarks.timing import keeping_bytecode, paired_cpu_seconds

BY_HAND = """
import asyncio, json, sys
import aiohttp

async def main(url, path):
    with open(path) as file:
        batch = {"batch": {"graph": json.load(file), "runs": 1}}
    async with aiohttp.ClientSession(url) as session:
        async with session.ws_connect("/ws/socket.io/?EIO=4&transport=websocket") as socket:
            await socket.receive()
            await socket.send_str("40")
            await socket.receive()
            await socket.send_str('420["subscribe_queue", {"queue_id": "default"}]')
            await socket.receive()
            async with session.post("/api/v1/queue/default/enqueue_batch", json=batch) as response:
                await response.json()

asyncio.run(main(*sys.argv[1:]))
"""

CLIENT = """
import sys
from invokeai_py_client import InvokeAIClient, WorkflowDefinition

with InvokeAIClient.from_url(sys.argv[1]) as client:
    client.workflow_repo.create_workflow(WorkflowDefinition.from_file(sys.argv[2])).submit_sync()
"""


@keeping_bytecode()
def importing() -> None:
    """The CPU time of the imports."""
    ours, bare = paired_cpu_seconds("import invokeai_py_client", "pass", runs=15)
    show("import invokeai_py_client, over a bare interpreter", 1000 * (ours - bare), "ms", "allowed: 60 ms")
    ours, floor = paired_cpu_seconds(
        "from invokeai_py_client import InvokeAIClient", "import aiohttp, pydantic.main", runs=15
    )
    show("import InvokeAIClient, CPU time", 1000 * ours, "ms", _times(ours / floor, "aiohttp and pydantic", 1.25))


@keeping_bytecode()
def first_enqueue() -> None:
    """The time from the start of an interpreter until its batch is at the server, on a scripted server."""
    pairs = asyncio.run(_first_enqueue(runs=15))
    ours = statistics.median(ours for ours, _ in pairs)
    # Of the two that ran one after the other: other programs slow both down.
    ratio = statistics.median(ours / floor for ours, floor in pairs)
    show("start to first enqueue", 1000 * ours, "ms", _times(ratio, "by hand with aiohttp", 1.6))


async def _first_enqueue(runs: int) -> list[tuple[float, float]]:
    server = ScriptedServer(runs=0, events=0)
    url = await server.start()
    with tempfile.TemporaryDirectory() as folder:
        workflow, graph = Path(folder, "workflow.json"), Path(folder, "graph.json")
        _write(workflow, WORKFLOW)
        _write(graph, {"nodes": {"add": {"id": "add", "type": "add"}}, "edges": []})

        async def seconds(code: str, path: Path) -> float:
            began = time.perf_counter()
            script = await asyncio.create_subprocess_exec(sys.executable, "-c", code, url, str(path))
            assert await script.wait() == 0
            assert server.enqueued_at is not None
            return server.enqueued_at - began

        async def both() -> tuple[float, float]:
            return await seconds(CLIENT, workflow), await seconds(BY_HAND, graph)

        # The first run also fills the cache of node templates.
        await both()
        return [await both() for _ in range(runs)]


def _write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document), encoding="utf-8")


def _times(ratio: float, floor: str, allowed: float) -> str:
    return f"{ratio:.2f} x {floor}; allowed: {allowed} x"


if __name__ == "__main__":
    importing()
    first_enqueue()
