"""Start of invokeai-python 0.6.2, which opens no socket."""

import asyncio
import json
import sys

from invoke import Invoke


async def main(url: str, _: str, path: str) -> None:
    with open(path) as file:
        batch = {"graph": json.load(file), "runs": 1, "data": None, "workflow": None, "origin": "o", "destination": "d"}
    async with Invoke(url) as invoke:
        await invoke.queue.enqueue_batch({"batch": batch})


asyncio.run(main(*sys.argv[1:]))
