"""Images by the thousand, against a bare aiohttp loop with the same concurrency: on a real and on a static server."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import PIL.Image

from benchmarks.show import show
from invokeai_py_client import InvokeAIClient
from invokeai_py_client.local import LocalServer

ROOT = Path(__file__).parents[1]

CONCURRENCY = 8
DOWNLOADS = 1000
UPLOADS = 500
RECORDS = 10_000
ROUNDS = 5

T = TypeVar("T")
Ours = Callable[[], None]
Bare = Callable[[], Coroutine[Any, Any, None]]

_SIDE = 183
"""Noise of so many pixels a side is a PNG of 100 KB."""


def transfers() -> None:
    """Print all of them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture = folder / "noise.png"
        PIL.Image.frombytes("RGB", (_SIDE, _SIDE), os.urandom(3 * _SIDE * _SIDE)).save(picture)
        server = LocalServer(folder / "root")
        with server, InvokeAIClient.from_url(server.url) as client:
            uploads("a real server", server.url, client, picture)
            names = client.image_repo.list_image_names()
            downloads("a real server", server.url, client, names[:DOWNLOADS], folder)
        with static_server(picture.stat().st_size) as url, InvokeAIClient.from_url(url) as client:
            uploads("a static server", url, client, picture)
            downloads("a static server", url, client, [f"{number}.png" for number in range(DOWNLOADS)], folder)
        fill(server, RECORDS)
        with server, InvokeAIClient.from_url(server.url) as client:
            listing(server.url, client)


def uploads(where: str, url: str, client: InvokeAIClient, picture: Path) -> None:
    paths = [picture] * UPLOADS

    async def bare() -> None:
        await each(paths, lambda session, path: upload(session, url, path))

    def ours() -> None:
        report = client.image_repo.upload_many(paths, concurrency=CONCURRENCY)
        assert len(report.done) == UPLOADS

    compare(f"{UPLOADS} uploads to {where}", ours, bare)


def downloads(where: str, url: str, client: InvokeAIClient, names: Sequence[str], folder: Path) -> None:
    target = folder / "images"

    async def bare() -> None:
        target.mkdir()
        await each(names, lambda session, name: download(session, url, name, target / name))

    def ours() -> None:
        report = client.image_repo.download_many(names, target, concurrency=CONCURRENCY)
        assert len(report.done) == len(names)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    compare(f"{len(names)} downloads from {where}", ours, bare, between=lambda: shutil.rmtree(target))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    show("... the memory that it took at most", grown, "MB", f"for {ROUNDS} x 100 MB")


def listing(url: str, client: InvokeAIClient) -> None:
    def ours() -> None:
        assert sum(1 for _ in client.image_repo.list_images()) >= RECORDS

    async def bare() -> None:
        async with aiohttp.ClientSession(url) as session:
            query = {"is_intermediate": "false", "starred_first": "false"}
            async with session.get("/api/v1/images/names", params=query) as answer:
                names = json.loads(await answer.read())["image_names"]
            for start in range(0, len(names), 1000):
                body = {"image_names": names[start : start + 1000]}
                async with session.post("/api/v1/images/images_by_names", json=body) as answer:
                    await answer.read()

    ratio, seconds = paired(ours, bare)
    show(f"{RECORDS:,} records listed, typed", seconds, "s", f"{ratio:.2f} x what the server takes; allowed: 1.5 x")


def compare(what: str, ours: Ours, bare: Bare, between: Ours = lambda: None) -> None:
    ratio, seconds = paired(ours, bare, between)
    show(what, seconds, "s", f"{100 / ratio:.0f} % of a bare loop's rate; wanted: 85 %")


def paired(ours: Ours, bare: Bare, between: Ours = lambda: None) -> tuple[float, float]:
    """The median ratio of rounds in which both are run, in turn the one first and the other, and our median seconds."""

    def timed(work: Ours) -> float:
        began = time.perf_counter()
        work()
        elapsed = time.perf_counter() - began
        between()
        return elapsed

    def floor() -> None:
        asyncio.run(bare())

    timed(floor)
    timed(ours)
    rounds = []
    for number in range(ROUNDS):
        first = timed(floor) if number % 2 else timed(ours)
        second = timed(ours) if number % 2 else timed(floor)
        rounds.append((second, first) if number % 2 else (first, second))
    return statistics.median(mine / its for mine, its in rounds), statistics.median(mine for mine, _ in rounds)


async def each(things: Sequence[T], act: Callable[[aiohttp.ClientSession, T], Awaitable[None]]) -> None:
    queue = iter(things)
    async with aiohttp.ClientSession() as session:

        async def work() -> None:
            for thing in queue:
                await act(session, thing)

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))


async def download(session: aiohttp.ClientSession, url: str, name: str, path: Path) -> None:
    async with session.get(f"{url}/api/v1/images/i/{name}/full") as answer:
        assert answer.status == 200
        with path.open("wb") as file:
            async for chunk in answer.content.iter_chunked(1 << 18):
                file.write(chunk)


async def upload(session: aiohttp.ClientSession, url: str, path: Path) -> None:
    with path.open("rb") as file:
        form = aiohttp.FormData()
        form.add_field("file", file, filename="noise.png", content_type="image/png")
        query = {"image_category": "user", "is_intermediate": "false"}
        async with session.post(f"{url}/api/v1/images/upload", params=query, data=form) as answer:
            assert answer.status == 201
            await answer.read()


def fill(server: LocalServer, count: int) -> None:
    """Give a server that does not run more records of the image that it has."""
    with sqlite3.connect(server.root / "databases" / "invokeai.db") as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(images)") if row[1] != "image_name"]
        names = ", ".join(columns)
        (last,) = database.execute("SELECT image_name FROM images LIMIT 1").fetchone()
        database.executemany(
            f"INSERT INTO images (image_name, {names}) SELECT ?, {names} FROM images WHERE image_name = ?",
            [(f"copy-{number}.png", last) for number in range(count)],
        )
    database.close()


@contextmanager
def static_server(size: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.static_server", str(size)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()
