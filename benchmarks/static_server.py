"""A server whose answers are ready: `python -m benchmarks.static_server BYTES`. It prints its address.

It answers downloads with so many bytes, and uploads with a record, so that what is measured is the client.
"""

from __future__ import annotations

import asyncio
import os
import sys

from aiohttp import web

RECORD = {
    "image_name": "a.png",
    "width": 1,
    "height": 1,
    "image_category": "user",
    "image_origin": "external",
    "is_intermediate": False,
    "created_at": "2026-01-01",
}


async def serve(size: int) -> None:
    """Serve until the process ends."""
    content = os.urandom(size)

    async def download(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type="image/png")

    async def upload(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response(RECORD, status=201)

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"version": "6.14.2"})

    app = web.Application(client_max_size=2**30)
    app.router.add_get("/api/v1/app/version", version)
    app.router.add_get("/api/v1/images/i/{name}/full", download)
    app.router.add_post("/api/v1/images/upload", upload)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
