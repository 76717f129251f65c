"""The status of the servers of a fleet: whether each can be used, its devices, and what it is doing."""

from __future__ import annotations

import asyncio
import math
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from invokeai_py_client.batch.journal import is_chunk_id
from invokeai_py_client.errors import (
    AuthenticationError,
    ForbiddenError,
    InvokeAIError,
    NotInvokeAIError,
    ProcessorStoppedError,
    RedirectedError,
    RequestTimeout,
    TransportError,
)
from invokeai_py_client.fleet.devices import devices_in_use, if_told
from invokeai_py_client.fleet.server import Server
from invokeai_py_client.live.processor import CONFIRMED_AFTER, ProcessorWatch
from invokeai_py_client.live.queue_reads import all_ids, records_of, summaries_of
from invokeai_py_client.repositories.queue.order import seconds_between
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.settings import Settings
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire.call import Call, Query, Response
from invokeai_py_client.wire.calls import app, models, queue

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.queue import QueueCounts, QueueItemSummary

T = TypeVar("T")

ServerState = Literal[
    "ready",
    "busy",
    "slow",
    "paused",
    "stopped",
    "refused",
    "unreachable",
    "silent",
    "not_allowed",
    "not_invokeai",
    "failed",
]

_RECENT = 100
"""The speed of a server is computed from at most this many of the items that ended last."""

_MOST_UNFINISHED = 900
"""If more items are unfinished, they are not requested to see who submitted them."""

SLOW_AFTER = 60.0
SLOW_ITEMS = 10
"""A server is slow if an item has run there for `SLOW_AFTER` seconds, and for as long as `SLOW_ITEMS` items take."""

_UNFINISHED = frozenset({"pending", "in_progress", "waiting"})

_HOUR = 3600.0

_SAME_TIME = timedelta(seconds=3)
"""Two clocks that differ by less are taken for equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """One server of a fleet at one moment. Values that the server did not report are None.

    `state` is one of:

    - `ready`: it runs items, or would if it had any.
    - `busy`: the same, and its queue has items that others have submitted, which the own ones may have to wait for.
    - `slow`: an item has run for a minute, and for ten times as long as the items that it completed before.
    - `paused`: its queue is paused.
    - `stopped`: it responds, but no longer runs items. It needs a restart.
    - `refused`: nothing listens at its address. The server is not running.
    - `unreachable`: no connection could be made for another reason, or it broke.
    - `silent`: it did not respond in time.
    - `not_allowed`: it requires a token, or did not accept the one it got.
    - `not_invokeai`: something other than InvokeAI responds at its address.
    - `failed`: it responded with another error.

    `error` says why the server cannot be used. `devices` are the ids and names of the devices that it generates on, and
    `slots` is how many items it runs at the same time. `models` are the names of the models that its latest run has
    used, which it has loaded; a multi-user server reports them only to administrators.

    `pending` and `in_progress` count the items in its queue. `own` counts those that are rows of batches: of this
    fleet's batches, or, in `invokeai-client fleet status`, of all batches that were submitted with this package.
    `others` counts the rest. Both are None if the queue has more than 900 unfinished items.

    `rows_per_hour` is how many items it completed per hour, over the last hour or the last 100 items, whichever is
    shorter; `failed` is how many of these failed, and `last_failure` says why the latest one did.
    """

    name: str
    url: str
    state: ServerState
    error: InvokeAIError | None = None
    version: str | None = None
    devices: Mapping[str, str] | None = None
    slots: int = 1
    models: tuple[str, ...] | None = None
    pending: int | None = None
    in_progress: int | None = None
    own: int | None = None
    others: int | None = None
    rows_per_hour: float | None = None
    failed: int | None = None
    last_failure: str | None = None

    @property
    def is_usable(self) -> bool:
        """Whether the server can be reached and takes work: it is `ready`, `busy`, `slow` or `paused`."""
        return self.state in ("ready", "busy", "slow", "paused")


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """The servers of a fleet at one moment, in the order in which they were given."""

    servers: tuple[ServerStatus, ...]

    def __iter__(self) -> Iterator[ServerStatus]:
        return iter(self.servers)

    def __len__(self) -> int:
        return len(self.servers)

    @property
    def usable(self) -> int:
        """The number of servers that can be used."""
        return sum(server.is_usable for server in self.servers)

    @property
    def slots(self) -> int:
        """How many items the usable servers run at the same time."""
        return sum(server.slots for server in self.servers if server.is_usable)

    @property
    def pending(self) -> int:
        """The number of pending items of all servers."""
        return sum(server.pending or 0 for server in self.servers)

    @property
    def in_progress(self) -> int:
        """The number of items that all servers run."""
        return sum(server.in_progress or 0 for server in self.servers)

    @property
    def rows_per_hour(self) -> float:
        """How many items all servers together complete per hour."""
        return sum(server.rows_per_hour or 0.0 for server in self.servers)


class StatusReader:
    """Reads the status of servers, once or repeatedly.

    All servers are asked at the same time. Values that do not change while a server runs are requested only once.

    Args:
        servers: the servers.
        timeout: the limit of one reading, in seconds. A server that has not responded by then is `silent`.
        queue_id: the queue.

    Example:
        >>> with StatusReader([Server("http://gpu1:9090"), Server("http://gpu2:9090")]) as reader:
        ...     for server in reader.read():
        ...         print(server.name, server.state, server.pending)
    """

    def __init__(self, servers: Iterable[Server], *, timeout: float = 5.0, queue_id: str = "default") -> None:
        self._engine = Engine("status of a fleet")
        self._timeout = timeout
        self._queue_id = queue_id
        self._readers = [
            ServerReader(HttpTransport(server.settings(), self._engine), name=server.name, slots=server.slots)
            for server in servers
        ]

    def __enter__(self) -> StatusReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self) -> FleetStatus:
        """Return the status of the servers now. Problems of a server are part of its status and are not raised."""
        return self._engine.block(self._read(AskStatus(None, self._queue_id, self._timeout)))

    def close(self) -> None:
        """Close the connections."""
        self._engine.close()

    async def _read(self, asked: AskStatus) -> FleetStatus:
        return FleetStatus(tuple(await asyncio.gather(*(reader.read(asked) for reader in self._readers))))


@dataclass(frozen=True, slots=True)
class AskStatus:
    """A request for the status of a server.

    Attributes:
        own: the prefixes of the ids of this fleet's batches; None to count the rows of all batches as own.
        queue_id: the queue.
        seconds: the limit of the whole reading.
    """

    own: Collection[str] | None = None
    queue_id: str = "default"
    seconds: float = 5.0


class ServerReader:
    """Reads the status of one server. Used on the engine.

    It keeps the values that do not change while the server runs.

    Args:
        http: sends the requests.
        slots: how many items the server runs at the same time; None for one on each device.
        name: the name of the server; by default its URL.
    """

    def __init__(self, http: HttpTransport, *, slots: int | None, name: str | None = None) -> None:
        self._http = _OneTry(http)
        self._date: str | None = None
        http.on_exchange.append(self._note_date)
        self._name = name or http.settings.url
        self._given_slots = slots
        self._processor = ProcessorWatch(self._http)
        self._version: str | None = None
        self._devices: dict[str, str] | None = None
        self._failure: tuple[int, str] | None = None

    async def read(self, asked: AskStatus) -> ServerStatus:
        """Return the status of the server now. A problem of the server is part of its status and is not raised."""
        url = self._http.settings.url
        try:
            async with asyncio.timeout(asked.seconds):
                return await self._ask(asked)
        except InvokeAIError as error:
            problem = error
        except TimeoutError:
            problem = silent(url, asked.seconds)
        status = ServerStatus(
            name=self._name,
            url=url,
            state=_state_after(problem),
            error=problem,
            version=self._version,
            devices=self._devices,
            slots=self._slots,
        )
        if status.state in ("refused", "unreachable"):
            # Another version may run when it comes back.
            self._version = self._devices = None
        return status

    @property
    def _slots(self) -> int:
        return self._given_slots or max(1, len(self._devices or ()))

    def _note_date(self, call: Call[Any], response: Response | None) -> None:
        if response is not None:
            self._date = response.headers.get("Date")

    def _now(self) -> datetime:
        """Return the time by the server's clock, of which the times of its items are."""
        here = datetime.now(UTC)
        try:
            there = parsedate_to_datetime(self._date or "").replace(tzinfo=UTC)
        except ValueError:
            return here
        # The header has whole seconds.
        return there if abs(there - here) > _SAME_TIME else here

    async def _ask(self, asked: AskStatus) -> ServerStatus:
        queue_id = asked.queue_id
        is_first = self._version is None
        if is_first:
            self._version = await self._http.send(app.get_version())
        status = await self._http.send(queue.get_queue_status(queue_id))
        if self._devices is None:
            self._devices = (await devices_in_use(self._http)).names
        stopped = await self._processor.check(queue_id, status)
        if is_first and self._processor.is_suspected(queue_id):
            # Between two items this is normal for a moment. Later readings are compared with the one before.
            await asyncio.sleep(CONFIRMED_AFTER)
            stopped = await self._processor.check(queue_id)
        loaded = await if_told(self._http, models.get_cache_stats())
        unfinished, ended = await self._items(queue_id, status.queue)
        failed = [item for item in ended if item.status == "failed"]
        is_own = is_chunk_id if asked.own is None else partial(_begins, tuple(asked.own))
        own = None if unfinished is None else sum(is_own(item.batch_id) for item in unfinished)
        others = None if unfinished is None or own is None else len(unfinished) - own
        now = self._now()
        state: ServerState = "slow" if is_slow(unfinished or (), ended, now) else "busy" if others else "ready"
        return ServerStatus(
            name=self._name,
            url=self._http.settings.url,
            state="stopped" if stopped else state if status.processor.is_started else "paused",
            error=stopped,
            version=self._version,
            devices=self._devices,
            slots=self._slots,
            models=None if loaded is None else _models_in(loaded.loaded_model_sizes),
            pending=status.queue.pending + status.queue.waiting,
            in_progress=status.queue.in_progress,
            own=own,
            others=others,
            rows_per_hour=rows_per_hour(ended, now),
            failed=len(failed),
            last_failure=await self._why(queue_id, failed[0].item_id) if failed else None,
        )

    async def _items(
        self, queue_id: str, counts: QueueCounts
    ) -> tuple[list[QueueItemSummary] | None, list[QueueItemSummary]]:
        """Return the unfinished items, None if there are too many, and those that ended within the last hour."""
        count = counts.pending + counts.in_progress + counts.waiting
        has_too_many = count > _MOST_UNFINISHED
        item_ids = await all_ids(self._http, queue_id)
        wanted = item_ids[count if has_too_many else 0 : count + _RECENT]
        items = await summaries_of(self._http, queue_id, wanted)
        now = self._now()
        ended = [item for item in items if item.parent_item_id is None and _is_recent(item.completed_at, now)]
        return None if has_too_many else [item for item in items if item.status in _UNFINISHED], ended

    async def _why(self, queue_id: str, item_id: int) -> str | None:
        """Return why an item failed."""
        if self._failure is None or self._failure[0] != item_id:
            found = await records_of(self._http, queue_id, [item_id])
            reasons = [text for item in found for text in (item.error_type, item.error_message) if text]
            self._failure = (item_id, ": ".join(reasons))
        return self._failure[1] or None


class _OneTry:
    """Sends calls without retries, because the status of the server at this moment is wanted."""

    def __init__(self, http: Sender) -> None:
        self._http = http

    @property
    def settings(self) -> Settings:
        return self._http.settings

    async def send(self, call: Call[T]) -> T:
        return await self._http.send(replace(call, retries=0))

    def url_of(self, path: str, query: Query | None = None) -> str:
        return self._http.url_of(path, query)


def rows_per_hour(ended: Sequence[QueueItemSummary], now: datetime) -> float:
    """Return how many items a server completed per hour.

    Args:
        ended: items that have ended within the last hour.
        now: the time, in UTC.
    """
    completed = [item for item in ended if item.status == "completed"]
    begun = [item.started_at for item in completed if item.started_at]
    seconds = seconds_between(min(begun), now) if begun else None
    return len(completed) * _HOUR / min(_HOUR, max(1.0, seconds)) if seconds is not None else 0.0


def is_slow(unfinished: Iterable[QueueItemSummary], ended: Iterable[QueueItemSummary], now: datetime) -> bool:
    """Return whether an item has run for much longer than those that a server completed before.

    Args:
        unfinished: the items that have not ended.
        ended: items that have ended within the last hour.
        now: the time, in UTC.
    """
    known = [seconds_between(item.started_at, item.completed_at) for item in ended if item.status == "completed"]
    took = [seconds for seconds in known if seconds is not None]
    running = [seconds_between(item.started_at, now) for item in unfinished if item.status == "in_progress"]
    limit = max(SLOW_AFTER, SLOW_ITEMS * statistics.median(took)) if took else math.inf
    return any(seconds is not None and seconds > limit for seconds in running)


def _begins(prefixes: tuple[str, ...], batch_id: str) -> bool:
    return batch_id.startswith(prefixes)


def _is_recent(completed_at: str | None, now: datetime) -> bool:
    seconds = seconds_between(completed_at, now)
    return seconds is not None and seconds < _HOUR


def _models_in(loaded: Iterable[str]) -> tuple[str, ...]:
    """Return the names of models, which the server gives as `base:type:name:submodel`."""
    names = (":".join(one.split(":")[2:-1]) or one for one in loaded)
    return tuple(dict.fromkeys(names))


def silent(url: str, seconds: float) -> RequestTimeout:
    """Return the error for a server that did not respond in time."""
    return RequestTimeout(
        f"{url} did not respond within {seconds:g} s.",
        url=url,
        method="GET",
        timeout=seconds,
        hint="Check whether the server is overloaded or hangs, or allow more time.",
    )


def _state_after(error: InvokeAIError) -> ServerState:
    if isinstance(error, AuthenticationError | ForbiddenError):
        return "not_allowed"
    if isinstance(error, NotInvokeAIError | RedirectedError):
        return "not_invokeai"
    if isinstance(error, RequestTimeout):
        return "silent"
    if isinstance(error, ProcessorStoppedError):
        return "stopped"
    if isinstance(error, TransportError):
        return "refused" if isinstance(error.__cause__, ConnectionRefusedError) else "unreachable"
    return "failed"
