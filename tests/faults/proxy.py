"""A TCP proxy on loopback that does to a connection what networks do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_CHUNK = 64 * 1024

_MOMENT = 0.05

_LATE = 1.5
"""Seconds between the proxy's answer and the delivery of a late request."""


@dataclass
class Rule:
    """What to do to the next requests whose first line has a text in it.

    `action` is `cut` (the answer breaks off), `swallow` (the server gets the request, the client no answer), `drop`
    (the server gets nothing), `open_and_drop` (the connection breaks a moment after it was opened), or a status such as
    `503` (the proxy answers itself). With `stored ` before a status or `html` the server carries the request out first;
    with `late ` before a status it does so a moment afterwards.
    """

    text: str
    action: str
    times: int


class FaultProxy:
    """Stands between a client and a server: `url` is its address. Its methods may be called from any thread."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._pairs: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = {}
        self._websockets: set[asyncio.Task[None]] = set()
        self._rules: list[Rule] = []
        self._thawed = asyncio.Event()
        self._frozen: set[asyncio.Task[None]] = set()
        self._late: set[asyncio.Task[None]] = set()
        self.latency = 0.0
        self.websocket_latency = 0.0
        self.bytes_per_second: float | None = None
        self.done: Counter[str] = Counter()
        self.websockets_opened = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def up(self) -> None:
        """Listen."""
        self._call(self._up())

    def down(self) -> None:
        """Refuse connections, and end those that there are."""
        self._call(self._down())

    def reset(self) -> None:
        """End all connections; new ones are welcome."""
        self._call(self._abort_all())

    def reset_websockets(self) -> None:
        """End the websockets only."""
        self._call(self._abort_all(self._websockets))

    def freeze_websockets(self) -> None:
        """Let nothing through the websockets that are open now, and close none of them: half-open sockets."""
        self._call(self._freeze())

    def thaw(self) -> None:
        """Let them go on."""
        self._call(self._thaw())

    def next(self, text: str, action: str, times: int = 1) -> None:
        """Do something to the next requests whose first line has `text` in it."""
        self._rules.append(Rule(text, action, times))

    def clear(self) -> None:
        """No more faults."""
        self._rules.clear()
        self.latency = self.websocket_latency = 0.0
        self.bytes_per_second = None
        self.thaw()

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)

    async def _up(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _deliver(self, request: bytes, after: float = 0.0) -> None:
        """Have the server carry a request out, on a connection of its own."""
        await asyncio.sleep(after)
        reader, writer = await asyncio.open_connection(*self._target)
        writer.write(request)
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async def _down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._abort_all()

    async def _abort_all(self, only: set[asyncio.Task[None]] | None = None) -> None:
        tasks = [task for task in self._pairs if only is None or task in only]
        for task in tasks:
            for writer in self._pairs[task]:
                writer.transport.abort()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _freeze(self) -> None:
        self._thawed.clear()
        self._frozen |= self._websockets

    async def _thaw(self) -> None:
        self._frozen.clear()
        self._thawed.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            to_reader, to_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._pairs[task] = (writer, to_writer)
        swallowing: list[str] = []
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await asyncio.gather(
                self._requests(task, reader, writer, to_writer, swallowing),
                self._answers(task, to_reader, writer, swallowing),
            )
        for one in (writer, to_writer):
            one.transport.abort()
        self._pairs.pop(task, None)
        self._websockets.discard(task)
        self._frozen.discard(task)

    async def _requests(
        self,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        to_writer: asyncio.StreamWriter,
        swallowing: list[str],
    ) -> None:
        while data := await reader.read(_CHUNK):
            line = data.split(b"\r\n", 1)[0].decode("latin-1") if b" HTTP/1.1\r\n" in data[:4000] else ""
            action = self._action_for(line) if line else None
            if action is not None and action.startswith("stored "):
                await self._deliver(await _whole(reader, data))
                action = action.removeprefix("stored ")
            elif action is not None and action.startswith("late "):
                late = asyncio.create_task(self._deliver(await _whole(reader, data), _LATE))
                self._late.add(late)
                late.add_done_callback(self._late.discard)
                action = action.removeprefix("late ")
            if action is not None and (action.isdigit() or action == "html"):
                writer.write(_response(action))
                await writer.drain()
                writer.close()
                raise ConnectionAbortedError
            if action == "drop":
                raise ConnectionAbortedError
            if action == "open_and_drop":
                asyncio.get_running_loop().call_later(_MOMENT, task.cancel)
            elif action is not None:
                swallowing.append(action)
            if " /ws/" in line:
                self._websockets.add(task)
                self.websockets_opened += 1
            await self._forward(task, data, to_writer)
        raise ConnectionAbortedError

    async def _answers(
        self,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        swallowing: list[str],
    ) -> None:
        while data := await reader.read(_CHUNK):
            if swallowing:
                if swallowing[0] == "cut":
                    writer.write(data[: len(data) // 2])
                    await writer.drain()
                raise ConnectionAbortedError
            await self._forward(task, data, writer)
        raise ConnectionAbortedError

    async def _forward(self, task: asyncio.Task[None], data: bytes, writer: asyncio.StreamWriter) -> None:
        latency = self.latency + (self.websocket_latency if task in self._websockets else 0.0)
        if latency:
            await asyncio.sleep(latency)
        while task in self._frozen:
            await self._thawed.wait()
        if self.bytes_per_second is None:
            writer.write(data)
        else:
            step = max(1, int(self.bytes_per_second / 10))
            for start in range(0, len(data), step):
                writer.write(data[start : start + step])
                await writer.drain()
                if self.bytes_per_second is not None:
                    await asyncio.sleep(0.1)
        await writer.drain()

    def _action_for(self, line: str) -> str | None:
        for rule in self._rules:
            if rule.text in line and rule.times > 0:
                rule.times -= 1
                self.done[rule.action] += 1
                return rule.action
        return None


async def _whole(reader: asyncio.StreamReader, data: bytes) -> bytes:
    """The rest of a request, as far as its headers tell its length."""
    while b"\r\n\r\n" not in data:
        data += await reader.read(_CHUNK)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    length = int(lengths[0]) if lengths else 0
    return data + (await reader.readexactly(length - len(body)) if length > len(body) else b"")


def _response(action: str) -> bytes:
    if action == "html":
        status, kind, body = "200 OK", "text/html", b"<html><body>Back soon</body></html>"
    else:
        status, kind, body = f"{action} Fault", "application/json", b'{"detail": "a fault"}'
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


Fault = Callable[[FaultProxy], object]
