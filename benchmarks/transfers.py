"""Images by the thousand, against a bare aiohttp loop with the same concurrency."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import PIL.Image

from benchmarks.figures import Measurement
from benchmarks.peers import floor, ours
from benchmarks.scale import server
from benchmarks.timing import apart, interleaved, timed
from invokeai_py_client import InvokeAIClient
from invokeai_py_client.local import LocalServer

DOWNLOADS = 1000
UPLOADS = 500
RECORDS = 10_000
ROUNDS = 8

_SIDE = 183
"""Noise of so many pixels a side is a PNG of 100 KB."""


def transfers() -> Iterator[Measurement]:
    """What the client adds to transfers, where the server costs little, and to long listings of a real one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture = noise(folder / "noise.png")
        with server("benchmarks.static_server", picture.stat().st_size) as url:
            taken, least = interleaved(
                ROUNDS,
                lambda: ours.upload(url, str(picture), UPLOADS),
                lambda: asyncio.run(floor.upload(url, str(picture), UPLOADS)),
            )
            yield Measurement(f"{UPLOADS} uploads to a static server", "s", taken, least, at_most_ratio=1.18)
            names = [f"{number}.png" for number in range(DOWNLOADS)]
            taken, least = interleaved(
                ROUNDS,
                into_a_folder(lambda folder: ours.download(url, names, folder)),
                into_a_folder(lambda folder: asyncio.run(floor.download(url, names, folder))),
            )
            yield Measurement(f"{DOWNLOADS:,} downloads from a static server", "s", taken, least, at_most_ratio=1.18)
        local = LocalServer(folder / "root")
        with local, InvokeAIClient.from_url(local.url) as client:
            client.image_repo.upload_many([picture])
        fill(local, RECORDS)
        with apart(local), InvokeAIClient.from_url(local.url) as client:
            yield from listing(local.url, client)


def noise(path: Path) -> Path:
    """Write a PNG of 100 KB."""
    PIL.Image.frombytes("RGB", (_SIDE, _SIDE), os.urandom(3 * _SIDE * _SIDE)).save(path)
    return path


def into_a_folder(download: Callable[[str], float]) -> Callable[[], float]:
    """Return a way that downloads into a folder of its own."""

    def way() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return download(folder)

    return way


def listing(url: str, client: InvokeAIClient) -> Iterator[Measurement]:
    def listed() -> None:
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

    taken, least = interleaved(ROUNDS, timed(listed), timed(lambda: asyncio.run(bare())))
    yield Measurement(f"{RECORDS:,} typed records listed", "s", taken, least, at_most_ratio=1.5)


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
