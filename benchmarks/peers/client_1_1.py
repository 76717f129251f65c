"""invokeai-py-client 1.1.1, in both modes of its guide to execution.

Blocking: it polls each half second, its default. Awaited: it listens to events, of one run at a time; the guide gathers
several runs of one client, but each of its waits replaces the handlers of the wait before.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.peers.contest import CONCURRENCY, run
from invokeai_py_client import InvokeAIClient
from invokeai_py_client.workflow import WorkflowDefinition

PATIENCE = 10.0
"""Seconds after which runs are given up that have long ended."""


def handle(url: str, workflow: str) -> Any:
    client = InvokeAIClient.from_url(url)
    return client.workflow_repo.create_workflow(WorkflowDefinition.from_file(workflow))


def once(wf: Any) -> int:
    wf.submit_sync()
    item_id: int = wf.wait_for_completion_sync(timeout=600)["item_id"]
    return item_id


def set_input(wf: Any, label: str, value: Any) -> None:
    (shown,) = [shown for shown in wf.list_inputs() if shown.label == label]
    wf.get_input_value(shown.input_index).value = value


def single(url: str, workflow: str, graph: str, seconds: list[float]) -> list[tuple[int, float]]:
    wf = handle(url, workflow)
    once(wf)
    taken = []
    for duration in seconds:
        set_input(wf, "Seconds", duration)
        began = time.perf_counter()
        item_id = once(wf)
        taken.append((item_id, time.perf_counter() - began))
    return taken


async def single_awaited(url: str, workflow: str, graph: str, seconds: list[float]) -> list[tuple[int, float]]:
    wf = handle(url, workflow)
    set_input(wf, "Seconds", 1.0)
    await wf.submit()
    await wf.wait_for_completion(timeout=PATIENCE)
    taken = []
    for duration in seconds:
        set_input(wf, "Seconds", duration)
        began = time.perf_counter()
        await wf.submit()
        end = await wf.wait_for_completion(timeout=PATIENCE)
        taken.append((end["item_id"], time.perf_counter() - began))
    await wf.client.disconnect_socketio()
    return taken


def gathered(url: str, workflow: str, graph: str, count: int) -> float:
    """Run each in a thread of its own, as a handle follows one run."""
    handles = [handle(url, workflow) for _ in range(count)]
    once(handles[0])
    began = time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(once, handles))
    return time.perf_counter() - began


async def gathered_awaited(url: str, workflow: str, graph: str, count: int) -> int:
    """Run all as the guide does; return how many waits have returned when all runs have long ended."""
    client = InvokeAIClient.from_url(url)
    definition = WorkflowDefinition.from_file(workflow)

    async def one() -> bool:
        wf = client.workflow_repo.create_workflow(definition)
        # So that none has ended before its wait begins.
        set_input(wf, "Seconds", 0.5)
        await wf.submit()
        try:
            await wf.wait_for_completion(timeout=PATIENCE)
        except (TimeoutError, RuntimeError):
            return False
        return True

    ends = await asyncio.gather(*(one() for _ in range(count)))
    await client.disconnect_socketio()
    return sum(ends)


def rows(url: str, workflow: str, graph: str, count: int) -> float:
    """It has no batches: submit row by row, then wait for each."""
    first = handle(url, workflow)
    once(first)
    began = time.perf_counter()
    handles = []
    for value in range(-count, 0):
        wf = first.client.workflow_repo.create_workflow(first.definition)
        set_input(wf, "Fail At", value)
        wf.submit_sync()
        handles.append(wf)
    for wf in handles:
        wf.wait_for_completion_sync(timeout=600)
    return time.perf_counter() - began


def upload(url: str, picture: str, count: int) -> float:
    board = InvokeAIClient.from_url(url).board_repo.get_uncategorized_handle()
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        board.list_images()
        began = time.perf_counter()
        list(pool.map(board.upload_image, [picture] * count))
        return time.perf_counter() - began


def download(url: str, names: list[str], folder: str) -> float:
    board = InvokeAIClient.from_url(url).board_repo.get_uncategorized_handle()

    def one(name: str) -> None:
        Path(folder, name).write_bytes(board.download_image(name))

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        board.list_images()
        began = time.perf_counter()
        list(pool.map(one, names))
        return time.perf_counter() - began


if __name__ == "__main__":
    run(
        single=single,
        single_awaited=single_awaited,
        gathered=gathered,
        gathered_awaited=gathered_awaited,
        rows=rows,
        upload=upload,
        download=download,
    )
