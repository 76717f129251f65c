"""This client: the socket is open, and waits are ended by events."""

from __future__ import annotations

import asyncio
import time

from benchmarks.peers.contest import CONCURRENCY, run
from invokeai_py_client import InvokeAIClient, WorkflowDefinition


def single(url: str, workflow: str, graph: str, seconds: list[float]) -> list[tuple[int, float]]:
    with InvokeAIClient.from_url(url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(workflow))
        wf.submit_sync().wait()
        taken = []
        for duration in seconds:
            wf.inputs["Seconds"].value = duration
            began = time.perf_counter()
            end = wf.submit_sync().wait()
            taken.append((end.item_id, time.perf_counter() - began))
    return taken


async def gathered(url: str, workflow: str, graph: str, count: int) -> float:
    async with InvokeAIClient.from_url(url) as client:
        wf = await client.aio.workflow_repo.create_workflow(WorkflowDefinition.from_file(workflow))
        await wf.submit()
        await wf.wait_for_completion()
        began = time.perf_counter()
        runs = await asyncio.gather(*(wf.submit() for _ in range(count)))
        ends = await asyncio.gather(*(one.wait() for one in runs))
        assert all(end.status == "completed" for end in ends)
        return time.perf_counter() - began


def rows(url: str, workflow: str, graph: str, count: int) -> float:
    with InvokeAIClient.from_url(url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(workflow))
        wf.submit_sync().wait()
        began = time.perf_counter()
        end = wf.plan({"Fail At": range(-count, 0)}).submit().wait()
        assert end.counts["completed"] == count
        return time.perf_counter() - began


def upload(url: str, picture: str, count: int) -> float:
    with InvokeAIClient.from_url(url) as client:
        client.app.get_version()
        began = time.perf_counter()
        report = client.image_repo.upload_many([picture] * count, concurrency=CONCURRENCY)
        assert len(report.done) == count
        return time.perf_counter() - began


def download(url: str, names: list[str], folder: str) -> float:
    with InvokeAIClient.from_url(url) as client:
        client.app.get_version()
        began = time.perf_counter()
        report = client.image_repo.download_many(names, folder, concurrency=CONCURRENCY)
        assert len(report.done) == len(names)
        return time.perf_counter() - began


if __name__ == "__main__":
    run(single=single, gathered=gathered, rows=rows, upload=upload, download=download)
