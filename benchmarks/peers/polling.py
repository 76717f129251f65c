"""A plain script: `requests`, a graph from a file, and a poll every half second."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from benchmarks.peers.contest import CONCURRENCY, batch_of, run

INTERVAL = 0.5


class Queue:
    def __init__(self, url: str) -> None:
        self.url = f"{url}/api/v1/queue/default"
        self.session = requests.Session()

    def enqueue(self, body: dict[str, Any]) -> list[int]:
        response = self.session.post(f"{self.url}/enqueue_batch", json=body)
        response.raise_for_status()
        item_ids: list[int] = response.json()["item_ids"]
        return item_ids

    def status(self, item_id: int) -> str:
        response = self.session.get(f"{self.url}/i/{item_id}")
        response.raise_for_status()
        status: str = response.json()["status"]
        return status

    def wait(self, item_ids: list[int]) -> None:
        while item_ids := [item_id for item_id in item_ids if self.status(item_id) != "completed"]:
            time.sleep(INTERVAL)


def single(url: str, workflow: str, graph: str, seconds: list[float]) -> list[tuple[int, float]]:
    queue, body = Queue(url), batch_of(graph)
    (node,) = body["batch"]["graph"]["nodes"].values()
    queue.wait(queue.enqueue(body))
    taken = []
    for duration in seconds:
        node["seconds"] = duration
        began = time.perf_counter()
        item_ids = queue.enqueue(body)
        queue.wait(item_ids)
        taken.append((item_ids[0], time.perf_counter() - began))
    return taken


def gathered(url: str, workflow: str, graph: str, count: int) -> float:
    queue, body = Queue(url), batch_of(graph)
    queue.wait(queue.enqueue(body))
    began = time.perf_counter()
    queue.wait([item_id for _ in range(count) for item_id in queue.enqueue(body)])
    return time.perf_counter() - began


def rows(url: str, workflow: str, graph: str, count: int) -> float:
    queue = Queue(url)
    queue.wait(queue.enqueue(batch_of(graph)))
    began = time.perf_counter()
    response = queue.session.post(f"{queue.url}/enqueue_batch", json=batch_of(graph, fail_at=[*range(-count, 0)]))
    response.raise_for_status()
    batch_id = response.json()["batch"]["batch_id"]
    while queue.session.get(f"{queue.url}/b/{batch_id}/status").json()["completed"] < count:
        time.sleep(INTERVAL)
    return time.perf_counter() - began


def upload(url: str, picture: str, count: int) -> float:
    session = requests.Session()

    def one(path: str) -> None:
        with open(path, "rb") as file:
            query = {"image_category": "user", "is_intermediate": "false"}
            files = {"file": ("noise.png", file, "image/png")}
            session.post(f"{url}/api/v1/images/upload", params=query, files=files).raise_for_status()

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        session.get(f"{url}/api/v1/app/version")
        began = time.perf_counter()
        list(pool.map(one, [picture] * count))
        return time.perf_counter() - began


def download(url: str, names: list[str], folder: str) -> float:
    session = requests.Session()

    def one(name: str) -> None:
        response = session.get(f"{url}/api/v1/images/i/{name}/full")
        response.raise_for_status()
        Path(folder, name).write_bytes(response.content)

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        session.get(f"{url}/api/v1/app/version")
        began = time.perf_counter()
        list(pool.map(one, names))
        return time.perf_counter() - began


if __name__ == "__main__":
    run(single=single, gathered=gathered, rows=rows, upload=upload, download=download)
