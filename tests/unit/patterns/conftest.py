"""A scripted server whose items end as a test says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from tests.support.scripted_server import (
    WORKFLOW,
    ScriptedServer,
    invocation,
    item_event,
    status,
    whole_story,
)

from invokeai_py_client import InvokeAIClient, WorkflowDefinition, WorkflowHandle

Ending = Callable[[ScriptedServer, int, str], Coroutine[Any, Any, None]]


async def complete(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    """The item completes."""
    server.finish(item_id)
    await server.play_all(whole_story(item_id, batch_id))


async def stay(server: ScriptedServer, item_id: int, batch_id: str) -> None:
    """The item stays pending."""


def fail(error_type: str, message: str = "no") -> Ending:
    """The item's node raises an error."""

    async def play(server: ScriptedServer, item_id: int, batch_id: str) -> None:
        server.finish(item_id, "failed")
        error: dict[str, Any] = {"error_type": error_type, "error_message": message, "error_traceback": "..."}
        await server.emit(*status(item_id, batch_id, "in_progress", 1))
        ended = item_event(item_id, batch_id, status="failed", status_sequence=2, **error)
        await server.emit("queue_item_status_changed", ended)
        await server.emit(*invocation("invocation_error", item_id, batch_id, **error))

    return play


class Script:
    """How the items end, one after another; those that are left complete."""

    def __init__(self) -> None:
        self.endings: list[Ending] = []
        self.enqueued = threading.Semaphore(0)
        """Released with each item."""
        self.server = ScriptedServer(self._play)

    async def _play(self, server: ScriptedServer, item_id: int, batch_id: str) -> None:
        self.enqueued.release()
        ending = self.endings.pop(0) if self.endings else complete
        await ending(server, item_id, batch_id)

    def values(self) -> list[Any]:
        """The first input of each item that was enqueued."""
        return [item["session"]["graph"]["nodes"]["add"]["a"] for item in self.server.items.values()]

    def statuses(self) -> list[str]:
        """The status of each item that was enqueued."""
        return [item["status"] for item in self.server.items.values()]


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()
    with script.server:
        yield script


@pytest.fixture
def client(script: Script) -> Iterator[InvokeAIClient]:
    with InvokeAIClient.from_url(script.server.url) as client:
        yield client


@pytest.fixture
def definition() -> WorkflowDefinition:
    return WorkflowDefinition.from_dict(WORKFLOW)


@pytest.fixture
def wf(client: InvokeAIClient, definition: WorkflowDefinition) -> WorkflowHandle:
    return client.workflow_repo.create_workflow(definition)
