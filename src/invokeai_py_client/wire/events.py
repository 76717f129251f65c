"""The server's events, with names that do not depend on the server's version.

`decode(name, payload)` turns one Socket.IO message into an event. Every event is typed and also reads as a mapping,
and `event.raw` is the server's payload. The names are the server's, with three exceptions: `invocation_progress` is
called `generator_progress`, the end of an item has an additional event `session_complete`, and the client adds
`reconnected`. The payloads are described in the server's `events_common.py`.

Most messages report the progress of a node, and few of these are ever read by a user. `read_event` turns such a message
into a `ProgressReport`, which has the values that the state of a run needs, and the message's text. A
`GeneratorProgress` that is made from a report parses the text when one of its other attributes is first read. So a run
that keeps 1,000 of them keeps strings, which take a fifth of the memory of the parsed messages and do not burden the
garbage collector.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

from invokeai_py_client.mapping import ReadsAsMapping
from invokeai_py_client.wire.preview import Preview, read_preview

TERMINAL_STATUSES = frozenset({"completed", "failed", "canceled"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Event(ReadsAsMapping):
    """The base of all events. `event["step"]` reads an attribute, or another key of the server's payload.

    Events are equal if they are equal as mappings.
    """

    type: ClassVar[str] = "event"

    queue_id: str = "default"
    timestamp: float | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def _names(self) -> Collection[str]:
        """Return the names of the attributes, including `type`, and the other keys that the server sent."""
        return {*self.__dataclass_fields__, *self.raw}

    def __getitem__(self, name: str) -> Any:
        """Return the value of a key. Kept simple, for consumers of thousands of events per second.

        Raises:
            KeyError: there is no such key.
        """
        return getattr(self, name) if name in self.__dataclass_fields__ else self.raw[name]


_set = object.__setattr__


class _ReadOnDemand(Event):
    """The base of an event that may be made from the text of its message.

    Attributes that were not set then are parsed when one of them is read.
    """

    __slots__ = ("_image", "_known", "_text")
    _image: Any
    _known: ProgressReport | None
    _text: str

    if not TYPE_CHECKING:  # for a type checker, all attributes are there

        def __getattr__(self, name: str) -> Any:
            if name not in self.__dataclass_fields__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            if self._known is not None and name in ProgressReport._fields:
                return getattr(self._known, name)
            server_name, payload = _message_in(self._text)
            if server_name == "invocation_progress" and "image" in payload:
                payload["image"] = self._image
            whole = _READERS[server_name](payload)
            for one in fields(whole):
                if one.name not in _COUNTED or not _has(self, one.name):
                    _set(self, one.name, getattr(whole, one.name))
            return getattr(self, name)


def _has(event: Event, name: str) -> bool:
    try:
        object.__getattribute__(event, name)
    except AttributeError:
        return False
    return True


def _message_in(text: str) -> tuple[str, dict[str, Any]]:
    name, payload = json.loads(text[text.index("[") :])
    return name, payload


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemEvent(_ReadOnDemand):
    """An event of one queue item. `batch_id` and `session_id` are "redacted" for another user's item.

    `recovered` is True for an event that was missed, for example while the socket was disconnected, and that the client
    created from the server's record of the item. Its `raw` is empty, and it has no `timestamp`.
    """

    item_id: int
    batch_id: str
    session_id: str | None = None
    recovered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QueueItemStatusChanged(ItemEvent):
    """An item is now `in_progress`, `completed`, `failed` or `canceled`."""

    type: ClassVar[str] = "queue_item_status_changed"

    status: str
    status_sequence: int | None = None
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InvocationEvent(ItemEvent):
    """An event of one node.

    `node_id` is the node's id in the workflow, `invocation_id` that of its prepared copy (an iterated node has
    several), `node` is the copy with its `type` and inputs. `overall_percentage` (0..100) is the progress of the whole
    item after the event, as defined by `QueueItem.progress_percentage`; it is 100 after the last node.
    """

    node_id: str
    invocation_id: str
    node: Mapping[str, Any] = field(repr=False)
    overall_percentage: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InvocationStarted(InvocationEvent):
    """A node has started."""

    type: ClassVar[str] = "invocation_started"


ItemProgress = tuple[float, int, int]
"""The progress of an item after a report, as computed by the state of a run: its percentage, and the node's steps."""

_COUNTED = ("overall_percentage", "step", "total_steps")
"""The attributes of `GeneratorProgress` that an `ItemProgress` contains."""


class ProgressReport(NamedTuple):
    """A message about the progress of a node, with some attributes of its `GeneratorProgress`.

    `text` is the message without its preview image. `image` is the preview image, by far the largest part of a message.
    """

    item_id: int
    batch_id: str
    queue_id: str
    session_id: str | None
    node_id: str
    invocation_id: str
    progress_percentage: float | None
    text: str
    image: Any

    def node(self) -> Mapping[str, Any]:
        """Read which node it is."""
        node: Mapping[str, Any] = _message_in(self.text)[1]["invocation"]
        return node

    def event(self, progress: ItemProgress | None = None) -> GeneratorProgress:
        """Return the event, with the progress of the item if its run is followed."""
        return unread_progress(self.text, self.image, progress, self)


def unread_progress(
    text: str, image: Any, progress: ItemProgress | None, report: ProgressReport | None = None
) -> GeneratorProgress:
    """Return an event that is read on demand.

    Args:
        text: the message without its picture.
        image: the picture.
        progress: the progress of the item, if a run is followed.
        report: what was read of the message already.
    """
    event = object.__new__(GeneratorProgress)
    _set(event, "_text", text)
    _set(event, "_image", image)
    _set(event, "_known", report)
    if progress is not None:
        for name, value in zip(_COUNTED, progress, strict=True):
            _set(event, name, value)
    return event


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeneratorProgress(InvocationEvent):
    """A node reports its progress.

    `progress_percentage` is 0..100, or None if the node does not know it. `step` and `total_steps` are computed from it
    for nodes that have `steps`, and are 0 otherwise.
    """

    type: ClassVar[str] = "generator_progress"

    message: str = ""
    progress_percentage: float | None = None
    step: int = 0
    total_steps: int = 0

    @property
    def preview(self) -> Preview | None:
        """The node's preview image; None if the message has none. It is decoded on access."""
        try:
            image = self._image
        except AttributeError:
            image = self.raw.get("image")
        return read_preview(image)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InvocationComplete(InvocationEvent):
    """A node has completed; `result` is its output, with its `type`."""

    type: ClassVar[str] = "invocation_complete"

    result: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InvocationError(InvocationEvent):
    """A node raised an error."""

    type: ClassVar[str] = "invocation_error"

    error_type: str
    error_message: str
    error_traceback: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionComplete(ItemEvent):
    """An item has ended; this is its last event. `status` is `completed`, `failed` or `canceled`."""

    type: ClassVar[str] = "session_complete"

    status: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reconnected(Event):
    """The socket is connected again after `seconds`, during which events were missed.

    Sent to every run that has not ended, for which the client then fetches what was missed, and to watchers of a queue,
    for which it does not.
    """

    type: ClassVar[str] = "reconnected"

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BatchEnqueued(Event):
    """A batch was enqueued: `enqueued` of `requested` items. `batch_id` is "redacted" for another user's batch."""

    type: ClassVar[str] = "batch_enqueued"

    batch_id: str
    enqueued: int
    requested: int
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BulkChange(Event):
    """The base of events about many items, which do not get an event each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QueueItemsCanceled(BulkChange):
    """Items were canceled or deleted in bulk. `item_ids` is empty for another user's items. Servers from 6.14."""

    type: ClassVar[str] = "queue_items_canceled"

    item_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QueueItemsRetried(BulkChange):
    """Items are retried, each as a new item. `item_ids` are the old items; empty for another user's items."""

    type: ClassVar[str] = "queue_items_retried"

    item_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QueueCleared(BulkChange):
    """The items of the user `user_id` ("redacted" for another user) were deleted, or all items if it is None."""

    type: ClassVar[str] = "queue_cleared"

    user_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnknownEvent(Event):
    """An event of an unknown type, or a known event whose payload could not be read (`fault` says why)."""

    type: ClassVar[str] = "unknown"

    name: str
    fault: str | None = None


RUN_EVENT_TYPES = frozenset(
    kind.type
    for kind in (
        QueueItemStatusChanged,
        InvocationStarted,
        GeneratorProgress,
        InvocationComplete,
        InvocationError,
        SessionComplete,
        Reconnected,
    )
)
"""The types of the events of a run."""


def read_event(name: str, payload: Any, text: str) -> Event | ProgressReport:
    """Read one message of the server's socket; of a progress message, only the part that a run needs.

    Args:
        name: the message's name, such as `invocation_progress`.
        payload: its parsed JSON.
        text: the complete message: the JSON of `[name, payload]`, after a prefix without brackets.

    Returns:
        A report for a progress message, otherwise the result of `decode`.
    """
    if name == "invocation_progress":
        try:
            return _report(payload, text)
        except (AttributeError, KeyError, TypeError, ValueError):
            pass  # `decode` reports the reason
    event = decode(name, payload)
    if isinstance(event, ItemEvent):
        _set(event, "_text", text)
    return event


_KEPT = (
    *("item_id", "batch_id", "session_id", "node_id", "invocation_id"),
    *("status", "result", "error_type", "error_message"),
)
"""What most of those read who read an event."""

E = TypeVar("E", bound=ItemEvent)


def with_text(event: E, **changes: Any) -> E:
    """Return a copy of an event with changes, which has the text of the message in place of most of what is in it.

    An event that was not read from a message is copied as it is.
    """
    text = getattr(event, "_text", None)
    if text is None:
        return replace(event, **changes)
    copy = object.__new__(type(event))
    _set(copy, "_text", text)
    _set(copy, "_known", None)
    names = event.__dataclass_fields__
    for name in _KEPT:
        if name in names:
            _set(copy, name, getattr(event, name))
    for name, value in changes.items():
        _set(copy, name, value)
    return copy


def _report(payload: Any, text: str) -> ProgressReport:
    image = payload.get("image")
    if image is not None:
        picture = image.get("dataURL") if isinstance(image, dict) else None
        # Base64 is not escaped in JSON. A search for the whole picture would take as long as the rest of this.
        start = text.find('"data:') + 1
        if isinstance(picture, str) and picture.startswith("data:") and text.startswith(picture, start):
            text = text[:start] + text[start + len(picture) :]
    share = payload.get("percentage")
    return ProgressReport(
        int(payload["item_id"]),
        str(payload["batch_id"]),
        payload.get("queue_id", "default"),
        payload.get("session_id"),
        str(payload["invocation_source_id"]),
        str(payload["invocation"]["id"]),
        None if share is None else _percentage(share),
        text,
        image,
    )


def _percentage(share: Any) -> float:
    return 100.0 * min(1.0, max(0.0, float(share)))


def decode(name: str, payload: Any) -> Event:
    """Read one message of the server's socket.

    Args:
        name: the message's name, such as `invocation_progress`.
        payload: its parsed JSON.

    Returns:
        The event; an `UnknownEvent` for a message that cannot be read. This never raises.

    Example:
        >>> decode("queue_cleared", {"queue_id": "default"}).type
        'queue_cleared'
    """
    if not isinstance(payload, Mapping):
        return UnknownEvent(name=name, fault=f"its payload is {type(payload).__name__}, not an object")
    read = _READERS.get(name)
    try:
        if read is not None:
            return read(payload)
        return UnknownEvent(name=name, **_queue(payload))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return UnknownEvent(name=name, fault=f"{type(error).__name__}: {error}", raw=payload)


def _queue(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"queue_id": payload.get("queue_id", "default"), "timestamp": payload.get("timestamp"), "raw": payload}


def _item(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "queue_id": payload.get("queue_id", "default"),
        "timestamp": payload.get("timestamp"),
        "raw": payload,
        "item_id": int(payload["item_id"]),
        "batch_id": str(payload["batch_id"]),
        "session_id": payload.get("session_id"),
    }


def _invocation(payload: Mapping[str, Any]) -> dict[str, Any]:
    item, node = _item(payload), payload["invocation"]
    item["node_id"] = str(payload["invocation_source_id"])
    item["invocation_id"] = str(node["id"])
    item["node"] = node
    return item


def _status_changed(payload: Mapping[str, Any]) -> QueueItemStatusChanged:
    return QueueItemStatusChanged(
        **_item(payload),
        status=str(payload["status"]),
        status_sequence=payload.get("status_sequence"),
        created_at=payload.get("created_at"),
        started_at=payload.get("started_at"),
        completed_at=payload.get("completed_at"),
        error_type=payload.get("error_type"),
        error_message=payload.get("error_message"),
        error_traceback=payload.get("error_traceback"),
    )


def _ids(payload: Mapping[str, Any], name: str) -> tuple[int, ...]:
    return tuple(int(item_id) for item_id in payload.get(name) or ())


def _progress(payload: Mapping[str, Any]) -> GeneratorProgress:
    share = payload.get("percentage")
    percentage = None if share is None else _percentage(share)
    total = steps_of(payload["invocation"])
    return GeneratorProgress(
        **_invocation(payload),
        message=str(payload.get("message") or ""),
        progress_percentage=percentage,
        # Progress with a message only, such as the loading of a model, has no steps. The state of a run counts them.
        step=0 if percentage is None else round(percentage / 100 * total),
        total_steps=0 if percentage is None else total,
    )


def steps_of(node: Mapping[str, Any]) -> int:
    """Return the number of steps of a node: its `steps` within its denoising range; 0 if it has none."""
    steps = node.get("steps")
    if not isinstance(steps, int):
        return 0
    start, end = node.get("denoising_start", 0), node.get("denoising_end", 1)
    if isinstance(start, int | float) and isinstance(end, int | float) and 0 <= start < end <= 1:
        return max(1, round(steps * (end - start)))
    return steps


_READERS: dict[str, Callable[[Mapping[str, Any]], Event]] = {
    "queue_item_status_changed": _status_changed,
    "invocation_started": lambda payload: InvocationStarted(**_invocation(payload)),
    "invocation_progress": _progress,
    "invocation_complete": lambda payload: InvocationComplete(**_invocation(payload), result=payload["result"]),
    "invocation_error": lambda payload: InvocationError(
        **_invocation(payload),
        error_type=str(payload["error_type"]),
        error_message=str(payload["error_message"]),
        error_traceback=str(payload.get("error_traceback") or ""),
    ),
    "batch_enqueued": lambda payload: BatchEnqueued(
        **_queue(payload),
        batch_id=str(payload["batch_id"]),
        enqueued=int(payload["enqueued"]),
        requested=int(payload["requested"]),
        priority=int(payload.get("priority") or 0),
    ),
    "queue_items_canceled": lambda payload: QueueItemsCanceled(
        **_queue(payload), item_ids=_ids(payload, "canceled_item_ids")
    ),
    "queue_items_retried": lambda payload: QueueItemsRetried(
        **_queue(payload), item_ids=_ids(payload, "retried_item_ids")
    ),
    "queue_cleared": lambda payload: QueueCleared(**_queue(payload), user_id=payload.get("user_id")),
}

_ITEM_FIELDS = ("queue_id", "item_id", "batch_id", "session_id")
_INVOCATION_FIELDS = (*_ITEM_FIELDS, "invocation", "invocation_source_id")

READ_FROM_EVENTS: Mapping[str, tuple[str, ...]] = {
    "queue_item_status_changed": (*_ITEM_FIELDS, "status", "error_type", "error_message", "error_traceback"),
    "invocation_started": _INVOCATION_FIELDS,
    "invocation_progress": (*_INVOCATION_FIELDS, "message", "percentage"),
    "invocation_complete": (*_INVOCATION_FIELDS, "result"),
    "invocation_error": (*_INVOCATION_FIELDS, "error_type", "error_message", "error_traceback"),
}
"""The readers of the server's events about runs, by name."""
