"""What `jobs watch` shows: the state of a queue, kept by its events, and that state as lines of a screen."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from invokeai_py_client.cli.output import printable
from invokeai_py_client.cli.queue_argument import STATUSES, UNFINISHED

if TYPE_CHECKING:
    from invokeai_py_client.wire.events import Event
    from invokeai_py_client.wire.records.queue import QueueItemSummary

_RECENT = 20
"""Ends of items that the time left is worked out from."""

_LEAST_SECONDS = 1.0
"""Seconds for which something was watched before its time left is told."""

_NARROW, _LOW = 60, 10
"""Columns and lines below which there is only room for the essence."""

_SHORT = {"in_progress": "running", "completed": "done"}

_STYLES = {"in_progress": "cyan", "completed": "green", "failed": "red", "canceled": "yellow"}


class Progress(Protocol):
    """What is asked of a run that is followed for its progress."""

    @property
    def progress(self) -> float:
        """0..100."""
        ...


@dataclass
class RunningItem:
    """An item that runs now."""

    item_id: int
    batch_id: str
    seen_at: float
    node: str = ""
    step: str = ""
    percentage: float | None = None
    """Of the node that runs, 0..100."""
    run: Progress | None = None
    """Tells the progress of the whole item."""
    first: tuple[float, float] | None = None
    """When the progress of the whole item was first known, and what it was."""

    def seconds_left(self, now: float) -> float | None:
        """Estimate how long the item still takes, None where nothing is known."""
        if self.run is None:
            return None
        progress = self.run.progress
        if self.first is None:
            self.first = (now, progress)
        began, was = self.first
        if now - began < _LEAST_SECONDS or progress <= was:
            return None
        return (100.0 - progress) * (now - began) / (progress - was)


@dataclass
class Job:
    """A batch, and how many of its items are in which state."""

    batch_id: str
    counts: Counter[str] = field(default_factory=Counter)
    error: str = ""

    @property
    def total(self) -> int:
        """How many items it has."""
        return self.counts.total()

    @property
    def ended(self) -> int:
        """How many of its items have ended, however they did."""
        return self.total - sum(self.counts[name] for name in UNFINISHED)

    @property
    def status(self) -> str:
        """The state of the whole."""
        order = ("in_progress", "waiting", "pending", "failed", "canceled")
        return next((name for name in order if self.counts[name]), "completed")


class QueueView:
    """The state of a queue. Threads may change it while another one draws it.

    Args:
        url: the server's address.
        queue_id: the queue.
    """

    def __init__(self, url: str, queue_id: str) -> None:
        self.url = url
        self.queue_id = queue_id
        self.lock = threading.RLock()
        self.counts: Counter[str] = Counter()
        self.is_paused = False
        self.is_loaded = False
        self.lost_at: float | None = None
        self.jobs: dict[str, Job] = {}
        """By batch id, the newest last."""
        self.running: dict[int, RunningItem] = {}
        self._ends: deque[float] = deque(maxlen=_RECENT)

    def load(self, items: Iterable[QueueItemSummary], now: float) -> None:
        """Take over what the server tells of its items, the newest first."""
        with self.lock:
            before, self.jobs, was_running, self.running = self.jobs, {}, self.running, {}
            for item in items:
                job = self.jobs.setdefault(item.batch_id, Job(item.batch_id))
                job.counts[item.status] += 1
                if item.status == "in_progress":
                    self.running[item.item_id] = was_running.get(item.item_id) or RunningItem(
                        item.item_id, item.batch_id, now
                    )
            for batch_id, job in self.jobs.items():
                if batch_id in before:
                    job.error = before[batch_id].error
            self.jobs = dict(reversed(self.jobs.items()))
            self.is_loaded = True

    def set_status(self, counts: Mapping[str, Any], *, is_paused: bool) -> None:
        """Take over what the server tells of the whole queue."""
        with self.lock:
            self.counts = _counts_in(counts)
            self.is_paused = is_paused

    def apply(self, event: Event, now: float) -> bool:
        """Take over what an event tells.

        Returns:
            Whether the items are to be loaded again, because the event does not tell what has become of them.
        """
        with self.lock:
            if event.type == "queue_item_status_changed":
                return self._changed(event, now)
            if event.type == "batch_enqueued":
                if event["batch_id"] not in self.jobs:
                    self.jobs[event["batch_id"]] = Job(event["batch_id"], Counter(pending=event["enqueued"]))
                    self.counts["pending"] += event["enqueued"]
                return False
            if event.type in ("invocation_started", "generator_progress"):
                item = self._running_item(event, now)
                item.node = str(event["node"].get("type", ""))
                item.percentage = event.get("progress_percentage")
                item.step = f"step {event['step']}/{event['total_steps']}" if event.get("total_steps") else ""
                return False
            return event.type in ("queue_items_retried", "queue_cleared", "queue_items_canceled", "reconnected")

    def unfollowed(self, now: float, seconds: float) -> list[RunningItem]:
        """Return the items that have run for some seconds, and whose progress is not followed yet."""
        with self.lock:
            return [one for one in self.running.values() if one.run is None and now - one.seen_at >= seconds]

    def seconds_left(self, now: float) -> float | None:
        """Estimate how long the items that have not ended still take, None where nothing is known."""
        if len(self._ends) < 2 or self._ends[-1] - self._ends[0] < _LEAST_SECONDS:
            return None
        of_each = (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)
        of_running = [left for one in self.running.values() if (left := one.seconds_left(now)) is not None]
        unknown = sum(self.counts[name] for name in UNFINISHED) - len(of_running)
        return max(of_running, default=0.0) + max(0, unknown) * of_each or None

    def _running_item(self, event: Event, now: float) -> RunningItem:
        return self.running.setdefault(event["item_id"], RunningItem(event["item_id"], event["batch_id"], now))

    def _changed(self, event: Event, now: float) -> bool:
        batch_id, status = event["batch_id"], event["status"]
        if status == "in_progress":
            self._running_item(event, now)
        elif self.running.pop(event["item_id"], None) is not None:
            self._ends.append(now)
        of_queue, of_batch = event.raw.get("queue_status"), event.raw.get("batch_status")
        if not isinstance(of_queue, Mapping) or not isinstance(of_batch, Mapping):
            return True
        self.counts = _counts_in(of_queue)
        job = self.jobs.setdefault(batch_id, Job(batch_id))
        job.counts = _counts_in(of_batch)
        if status == "failed":
            job.error = str(event.get("error_message") or event.get("error_type") or "")
        return False


class QueueScreen:
    """Draws a queue in as much room as there is, each time anew: so a terminal may change its size at any time."""

    def __init__(self, view: QueueView) -> None:
        self._view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or console.height
        bar = "#-" if options.ascii_only else "█░"
        now = time.monotonic()
        yield from _cut_lines(self._view, width, height, now, bar)


def screen_lines(view: QueueView, width: int, height: int, now: float, bar: str = "#-") -> list[str]:
    """Return what a screen of a size shows, line by line."""
    return [line.plain for line in _cut_lines(view, width, height, now, bar)]


def _cut_lines(view: QueueView, width: int, height: int, now: float, bar: str) -> list[Text]:
    with view.lock:
        lines = [*_lines(view, width, height, now, bar)][:height]
    for line in lines:
        line.truncate(width, overflow="ellipsis" if width > 1 else "crop")
    return lines


def _lines(view: QueueView, width: int, height: int, now: float, bar: str) -> Iterator[Text]:
    is_small = width < _NARROW or height < _LOW
    yield from (_small_head if is_small else _head)(view, width, now)
    room = height - (1 if is_small else 3)
    footer = [] if height < _LOW else [Text("q quits. What runs goes on.", style="dim")]
    room -= len(footer)
    running = list(view.running.values())[: max(1, room // 2)]
    for item in running:
        yield _running_line(item, width, None if view.lost_at is not None else item.seconds_left(now), bar)
        room -= 1
    if running and not is_small and room > 0:
        yield Text("")
        room -= 1
    jobs = [*reversed(view.jobs.values())]
    for job in jobs[: max(0, room)]:
        yield _job_line(job, width, bar)
    room -= len(jobs)
    if not jobs and room > 0:
        yield Text("Nothing was submitted yet." if view.is_loaded else "loading", style="dim")
        room -= 1
    for _ in range(max(0, room) if footer else 0):
        yield Text("")
    yield from footer


def _small_head(view: QueueView, width: int, now: float) -> Iterator[Text]:
    if view.lost_at is not None:
        yield Text(f"no server, {_duration(now - view.lost_at)}", style="bold red")
        return
    state = f"{view.counts['in_progress']} run {view.counts['pending']} wait"
    if view.is_paused:
        state = f"paused {state}"
    if view.counts["failed"]:
        state += f" {view.counts['failed']} bad"
    yield Text(state, style="bold")


def _head(view: QueueView, width: int, now: float) -> Iterator[Text]:
    title = Text(f"{printable(view.url)}  queue {printable(view.queue_id)}", style="bold")
    if view.lost_at is not None:
        state = Text(f"server lost for {_duration(now - view.lost_at)}; reconnecting", style="bold red")
    elif view.is_paused:
        state = Text("paused", style="bold yellow")
    else:
        left = view.seconds_left(now)
        state = Text("" if left is None else f"about {_duration(left)} left", style="dim")
    title.truncate(max(0, width - state.cell_len - 2), overflow="ellipsis")
    yield Text.assemble(title, " " * max(0, width - title.cell_len - state.cell_len), state)
    counts = Text()
    for name in STATUSES:
        if view.counts[name] or name in ("pending", "in_progress", "completed", "failed"):
            style = _STYLES.get(name, "") if view.counts[name] else "dim"
            counts.append(f"{view.counts[name]} {name}   ", style=style)
    yield counts
    yield Text("")


def _running_line(item: RunningItem, width: int, left: float | None, bar: str) -> Text:
    progress = item.percentage if item.run is None else item.run.progress
    share = "" if progress is None else f"{progress:3.0f}%"
    rest = "" if left is None else f"~{_duration(left)}"
    if width < _NARROW:
        return Text(" ".join(filter(None, (f"#{item.item_id}", share.strip(), rest, printable(item.node)))), "cyan")
    size = max(10, width // 4)
    what = "  ".join(filter(None, (share, printable(item.node), item.step, rest)))
    line = Text(f"#{item.item_id:<7} ", style="cyan")
    return line.append(_bar(progress or 0.0, size, bar)).append(f"  {what}", style="default")


def _job_line(job: Job, width: int, bar: str) -> Text:
    style = _STYLES.get(job.status, "")
    count = f"{job.ended}/{job.total}"
    batch_id = printable(job.batch_id)
    if width < _NARROW:
        return Text.assemble(f"{batch_id[:8]} ", (f"{count} {_SHORT.get(job.status, job.status)}", style))
    share = 100.0 * job.ended / job.total if job.total else 0.0
    size = min(36, width - 36)
    line = Text(f"{batch_id[:size]:<{size}}  ")
    line.append(_bar(share, 10, bar), style=style).append(f" {count:>9} {job.status:<11}", style=style)
    if job.counts["failed"] and job.status != "failed":
        line.append(f" {job.counts['failed']} failed", style="red")
    return line.append(f" {printable(job.error)}" if job.error else "", style="red")


def _bar(percentage: float, size: int, bar: str) -> str:
    full = round(max(0.0, min(100.0, percentage)) / 100.0 * size)
    return bar[0] * full + bar[1] * (size - full)


def _duration(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 100 * 60 else f"{whole // 3600} h"


def _counts_in(found: Mapping[str, Any]) -> Counter[str]:
    return Counter({name: int(found.get(name) or 0) for name in STATUSES})
