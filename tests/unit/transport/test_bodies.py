"""Bodies: what a form holds of files, and how much of a response is read."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import os
import zlib
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
import pytest
from aiohttp import web
from tests.support.serving import serving

from invokeai_py_client.errors import AnswerTooLargeError
from invokeai_py_client.transport.bodies import (
    FileError,
    OpenFile,
    Sink,
    as_form,
    read_body,
    stream_body,
    what_was_sent,
)
from invokeai_py_client.wire.call import Call, Part

MEBIBYTE = 2**20
PIECE = 50_000
BODY = os.urandom(20_000) * 30


def test_a_sink_makes_its_file_with_the_first_piece_and_counts(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with Sink(path) as sink:
        assert (sink.size, sink.crc32) == (0, 0)
        assert os.listdir(tmp_path) == []
        sink.write(b"one ")
        assert (sink.size, sink.crc32) == (4, zlib.crc32(b"one "))
        assert not path.exists(), "it is not whole yet"
        sink.write(b"two")
    assert path.read_bytes() == b"one two"
    assert (sink.size, sink.crc32) == (7, zlib.crc32(b"one two"))
    assert os.listdir(tmp_path) == ["file"]


def test_a_sink_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    def give_up() -> None:
        with Sink(tmp_path / "file") as sink:
            sink.write(b"half")
            raise LookupError

    with pytest.raises(LookupError):
        give_up()
    assert os.listdir(tmp_path) == []


def test_a_file_that_cannot_be_written_is_an_error_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file where a folder is needed")
    with pytest.raises(FileError) as caught, Sink(tmp_path / "folder" / "file") as sink:
        sink.write(b"x")
    assert isinstance(caught.value.error, OSError)
    assert caught.value.error.errno in {errno.ENOTDIR, errno.EEXIST}
    assert caught.value.__cause__ is caught.value.error


async def content_of(file: OpenFile) -> bytes:
    return b"".join([chunk async for chunk in file.chunks()])


@pytest.mark.parametrize("size", [0, 3, 256 * 1024, 256 * 1024 + 1, 600_000])
async def test_an_open_file_is_read_from_where_it_stood_however_often(size: int) -> None:
    raw = io.BytesIO(b"head" + os.urandom(size))
    raw.seek(4)
    file = OpenFile(raw)
    assert (file.size, raw.tell()) == (size, 4)
    for _ in range(2):
        assert await content_of(file) == raw.getvalue()[4:]
    assert file.error is None
    assert not raw.closed


async def test_attempts_that_read_one_file_at_a_time_do_not_disturb_each_other() -> None:
    data = os.urandom(600_000)
    file = OpenFile(io.BytesIO(data))
    given_up = file.chunks()
    await anext(given_up)
    assert await content_of(file) == data
    assert b"".join([chunk async for chunk in given_up]) == data[256 * 1024 :]


async def test_an_open_file_is_read_piecewise() -> None:
    sizes = [len(chunk) async for chunk in OpenFile(io.BytesIO(b"x" * 600_000)).chunks()]
    assert sizes == [262_144, 262_144, 75_712]


@pytest.mark.parametrize(
    ("raised", "number"), [(OSError(errno.ENOSPC, "full"), errno.ENOSPC), (ValueError("odd"), errno.EIO)]
)
async def test_what_reading_raises_is_kept_as_an_error_of_the_system(raised: Exception, number: int) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise raised

    file = OpenFile(Broken(b"x"))
    with pytest.raises(OSError, match=str(raised.args[-1])) as caught:
        await content_of(file)
    assert file.error is caught.value
    assert caught.value.errno == number
    assert caught.value is raised or caught.value.__cause__ is raised


async def posted(parts: list[Part], files: dict[str, OpenFile]) -> tuple[list[tuple[Any, ...]], int]:
    """Send a form, and return what a server gets: name, file name, type and content of each part; and the size told."""
    got: list[tuple[Any, ...]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        async for part in await request.multipart():
            assert isinstance(part, aiohttp.BodyPartReader)
            got.append((part.name, part.filename, part.headers["Content-Type"], bytes(await part.read())))
        return web.Response()

    app = web.Application(client_max_size=2 * MEBIBYTE)
    app.router.add_post("/", handler)
    with contextlib.ExitStack() as opened:
        form, size = as_form(parts, files, opened)
        async with serving(app) as url, aiohttp.ClientSession() as session, session.post(url, data=form):
            return got, size


async def test_a_form_has_texts_and_files_of_each_kind(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    path.write_bytes(b"path's")
    raw = io.BytesIO(b"skipped|open")
    raw.seek(8)
    large = os.urandom(MEBIBYTE + 1)
    parts = [
        Part("text", "w\u00f6rd", content_type="application/json"),
        Part("bytes", b"small", "b.png", "image/png"),
        Part("large", large, "l.png", "image/png"),
        Part("path", path, "p.png", "image/png"),
        Part("file", raw, "o\r\ny\x00.png", "image/png"),
    ]
    got, size = await posted(parts, {"file": OpenFile(raw)})
    assert [(name, filename, content) for name, filename, _, content in got] == [
        ("text", None, "w\u00f6rd".encode()),
        ("bytes", "b.png", b"small"),
        ("large", "l.png", large),
        ("path", "p.png", b"path's"),
        ("file", "o__y_.png", b"open"),
    ]
    assert [kind.partition(";")[0] for _, _, kind, _ in got] == ["application/json", *["image/png"] * 4]
    assert size == 4 + 5 + MEBIBYTE + 1 + 6 + 4
    assert not raw.closed


async def test_files_that_the_form_opens_are_closed_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p"
    path.write_bytes(b"123")
    files: list[BinaryIO] = []
    open_path = Path.open

    def noted(self: Path, mode: str) -> Any:
        files.append(open_path(self, "rb"))
        return files[-1]

    monkeypatch.setattr(Path, "open", noted)
    with contextlib.ExitStack() as opened:
        assert as_form([Part("path", path, "p")], {}, opened)[1] == 3
        assert [file.closed for file in files] == [False]
    assert [file.closed for file in files] == [True]


def test_a_file_that_cannot_be_read_is_an_error_of_the_file(tmp_path: Path) -> None:
    with contextlib.ExitStack() as opened, pytest.raises(FileError) as caught:
        as_form([Part("path", tmp_path / "missing", "p")], {}, opened)
    assert isinstance(caught.value.error, FileNotFoundError)
    assert caught.value.__cause__ is caught.value.error


def test_the_files_of_a_call_are_named_with_their_sizes(tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    path.write_bytes(b"0" * 1234)
    raw = io.BytesIO(b"0123456")
    parts = (
        Part("metadata", "{}"),
        Part("unnamed", b"1"),
        Part("named", "a text", "t.txt"),
        Part("gone", tmp_path / "gone"),
        Part("path", path, "other.png"),
        Part("file", raw, "f.png"),
    )

    def call(*parts: Part) -> Call[None]:
        return Call(method="POST", path="/x", parse=lambda response: None, parts=parts)

    told = what_was_sent(call(*parts), {"file": OpenFile(raw)})
    assert told == f"'unnamed' (1 bytes), 't.txt' (6 bytes), {str(path)!r} (1,234 bytes), 'f.png' (7 bytes)"
    assert what_was_sent(call(), {}) == what_was_sent(call(parts[0]), {}) == ""


@contextlib.asynccontextmanager
async def response_with(body: bytes, *, kind: str, method: str = "GET") -> AsyncIterator[aiohttp.ClientResponse]:
    async def handler(request: web.Request) -> web.StreamResponse:
        if kind == "chunked":
            chunked = web.StreamResponse(status=203)
            await chunked.prepare(request)
            for place in range(0, len(body), PIECE):
                await chunked.write(body[place : place + PIECE])
            return chunked
        response = web.Response(status=203, body=body)
        if kind == "compressed":
            response.enable_compression()
        return response

    async with serving(handler) as url, aiohttp.ClientSession() as session, session.request(method, url) as response:
        yield response


@pytest.mark.parametrize("kind", ["plain", "compressed", "chunked"])
async def test_a_body_up_to_the_limit_is_read_whole(kind: str, tmp_path: Path) -> None:
    for limit in (600_000, 900_000):
        async with response_with(BODY, kind=kind) as response:
            assert await read_body(response, "/x", limit) == BODY
        with Sink(tmp_path / "file") as sink:
            async with response_with(BODY, kind=kind) as response:
                await stream_body(response, "/x", sink, limit)
        assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("kind", ["plain", "compressed", "chunked"])
@pytest.mark.parametrize(
    ("setting", "hint"),
    [("some_setting", "setting some_setting."), (None, "InvokeAI server"), ("stream", "setting max_download_bytes.")],
)
async def test_a_body_above_the_limit_is_not_read_and_its_connection_closed(
    kind: str, setting: str | None, hint: str, tmp_path: Path
) -> None:
    async with response_with(BODY, kind=kind) as response:
        if setting == "stream":
            reading: Awaitable[object] = stream_body(response, "/shown", Sink(tmp_path / "file"), 599_999)
        else:
            reading = read_body(response, "/shown", 599_999, setting)
        with pytest.raises(AnswerTooLargeError) as caught:
            await reading
        assert response.closed
        assert response.connection is None
    error = caught.value
    assert (error.status, error.method, error.url, error.limit) == (203, "GET", "/shown", 599_999)
    assert str(error).startswith("The response to GET /shown has more than 599,999 bytes.")
    assert hint in error.hint


async def test_the_default_limit_of_a_body_is_that_of_the_settings() -> None:
    async with response_with(b"0123456789", kind="plain") as response:
        with pytest.raises(AnswerTooLargeError, match=r"setting max_answer_bytes\."):
            await read_body(response, "/x", 9)


async def test_a_length_without_a_body_is_not_too_large() -> None:
    async with response_with(b"0123456789", kind="plain", method="HEAD") as response:
        assert response.content_length == 10
        assert await read_body(response, "/x", 3) == b""


async def test_nothing_beyond_the_limit_is_written(tmp_path: Path) -> None:
    written: list[int] = []

    class Counting(Sink):
        def write(self, piece: bytes) -> None:
            super().write(piece)
            written.append(self.size)

    async with response_with(os.urandom(300_000), kind="chunked") as response:
        with pytest.raises(AnswerTooLargeError), Counting(tmp_path / "file") as sink:
            await asyncio.wait_for(stream_body(response, "/x", sink, 100_000), 10)
    assert all(size <= 100_000 for size in written)
