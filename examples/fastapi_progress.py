"""A web application: `GET /draw?prompt=...` runs a workflow, and streams its progress as server-sent events.

    pip install fastapi uvicorn
    WORKFLOW=workflow.json uvicorn --app-dir examples fastapi_progress:app

The last event has the names of the images; `GET /images/<name>` sends one. All requests share one client.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse

from invokeai_py_client import AsyncRun, InvokeAIClient, WorkflowDefinition
from invokeai_py_client.errors import NotFoundError

client = InvokeAIClient()
definition = WorkflowDefinition.from_file(os.environ["WORKFLOW"])


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Close the client when the application ends."""
    async with client:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/draw")
async def draw(prompt: str) -> StreamingResponse:
    """Submit the workflow, and follow the run."""
    wf = await client.aio.workflow_repo.create_workflow(definition)
    await wf.sync_dnn_model()
    wf.inputs["Positive Prompt"].value = prompt
    return StreamingResponse(events_of(await wf.submit()), media_type="text/event-stream")


async def events_of(run: AsyncRun) -> AsyncIterator[str]:
    """Yield a server-sent event for each event of the run, and one with its images."""
    async for event in run.stream():
        state = {"progress": run.progress, "status": run.status, "error": run.item.error}
        yield f"event: {event.type}\ndata: {json.dumps(state)}\n\n"
    yield f"event: images\ndata: {json.dumps([image.name for image in run.images])}\n\n"


@app.get("/images/{name}")
async def image(name: str) -> Response:
    """Send an image."""
    try:
        return Response(await client.aio.image_repo.get_image_bytes(name), media_type="image/png")
    except NotFoundError:
        return Response(status_code=404)
