"""The floor of a start: the same requests as this client's, by hand."""

import asyncio
import json
import sys

import aiohttp


async def main(url: str, workflow: str, graph: str) -> None:
    with open(workflow) as first, open(graph) as second:
        batch = {"batch": {"workflow": json.load(first), "graph": json.load(second), "runs": 1}}
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
