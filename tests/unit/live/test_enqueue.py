"""An enqueue is exactly once: the answers that a network can lose, one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from invokeai_py_client import errors
from invokeai_py_client.live import enqueue
from invokeai_py_client.live.enqueue import enqueue_once
from invokeai_py_client.settings import Settings
from invokeai_py_client.wire.call import Call, Query
from invokeai_py_client.wire.records import BatchStatus, EnqueueResult, ItemIds, QueueItemSummary

BODY = {"prepend": False, "batch": {"graph": {}, "runs": 1}}


class Queue:
    """A queue that stores what is sent, and loses answers as it is told."""

    def __init__(self, faults: list[Callable[[Queue, Any], None]]) -> None:
        self.stored: list[str] = []
        self.asked: list[str] = []
        self.questions_lost = 0
        self.stored_late: str | None = None
        self.settings = Settings()
        self._faults = faults

    def url_of(self, path: str, query: Query | None = None) -> str:
        return f"{self.settings.url}{path}"

    async def send(self, call: Call[Any]) -> Any:
        self.asked.append(call.path.rsplit("/", 1)[-1])
        if call.path.endswith("/enqueue_batch"):
            batch_id = call.body["batch"]["batch_id"]
            if self._faults:
                self._faults.pop(0)(self, batch_id)
            self.stored.append(batch_id)
            return EnqueueResult(enqueued=1, requested=1, item_ids=[len(self.stored)])
        if call.path.endswith("/status"):
            if self.questions_lost:
                self.questions_lost -= 1
                raise errors.TransportError("still away", url="u", sent=False)
            total = self.stored.count("mine")
            if self.stored_late is not None:
                self.stored.append(self.stored_late)
                self.stored_late = None
            return BatchStatus(
                batch_id="mine", pending=total, in_progress=0, completed=0, failed=0, canceled=0, total=total
            )
        if call.path.endswith("/item_ids"):
            return ItemIds(item_ids=[*range(1, len(self.stored) + 1)], total_count=len(self.stored))
        assert call.path.endswith("/item_summaries_by_ids")
        return [
            QueueItemSummary(item_id=item_id, status="pending", batch_id=self.stored[item_id - 1])
            for item_id in call.body["item_ids"]
        ]


def never_sent(_: Queue, __: str) -> None:
    raise errors.TransportError("refused", url="u", sent=False)


def lost_before(_: Queue, __: str) -> None:
    raise errors.TransportError("reset", url="u")


def lost_after(queue: Queue, batch_id: str) -> None:
    queue.stored.append(batch_id)
    raise errors.RequestTimeout("slow", url="u", method="POST", timeout=1)


def busy(_: Queue, __: str) -> None:
    raise errors.ServerError("busy", status=503, method="POST", url="u")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enqueue, "_PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(enqueue, "_AT_WORK", 0.0)


@pytest.mark.parametrize(
    "faults",
    [
        [],
        [never_sent],
        [lost_before],
        [lost_after],
        [busy],
        [never_sent, lost_before, busy],
        [never_sent, lost_before, lost_after],
    ],
)
async def test_a_batch_is_stored_once_whatever_is_lost(faults: list[Callable[[Queue, Any], None]]) -> None:
    queue = Queue([*faults])
    assert (await enqueue_once(queue, "default", "mine", BODY)).item_ids == [1]
    assert queue.stored == ["mine"]


async def test_it_gives_up_after_its_last_try_with_the_failure() -> None:
    queue = Queue([lost_before] * 4)
    with pytest.raises(errors.TransportError, match="reset"):
        await enqueue_once(queue, "default", "mine", BODY)
    assert queue.stored == []
    assert queue.asked.count("enqueue_batch") == 4


@pytest.mark.parametrize("lost", [lost_before, lost_after])
async def test_a_question_that_gets_no_answer_is_asked_again(lost: Callable[[Queue, Any], None]) -> None:
    queue = Queue([lost])
    queue.questions_lost = 3
    assert (await enqueue_once(queue, "default", "mine", BODY)).item_ids == [1]
    assert queue.stored == ["mine"]


async def test_a_batch_is_not_sent_again_while_its_fate_is_unknown() -> None:
    queue = Queue([lost_after])
    queue.questions_lost = 100
    with pytest.raises(errors.EnqueueInDoubtError, match=r"slow.*still away.*client\.run\(batch_id='mine'\)") as caught:
        await enqueue_once(queue, "default", "mine", BODY)
    assert caught.value.batch_id == "mine"
    assert isinstance(caught.value, ConnectionError)
    assert queue.asked.count("enqueue_batch") == 1


def too_slow(queue: Queue, _: str) -> None:
    raise errors.RequestTimeout("slow", url="u", method="POST", timeout=1)


def given_up_by_a_proxy(queue: Queue, _: str) -> None:
    raise errors.ServerError("gateway", status=504, method="POST", url="u")


@pytest.mark.parametrize("fault", [too_slow, given_up_by_a_proxy])
async def test_what_a_server_may_still_be_at_work_on_is_not_sent_again(fault: Callable[[Queue, Any], None]) -> None:
    queue = Queue([fault])
    with pytest.raises(errors.EnqueueInDoubtError, match="not there yet"):
        await enqueue_once(queue, "default", "mine", BODY)
    assert queue.asked.count("enqueue_batch") == 1


async def test_a_batch_that_comes_a_moment_after_its_connection_broke_is_not_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(enqueue, "_AT_WORK", 60.0)
    queue = Queue([lost_before])
    queue.stored_late = "mine"
    assert (await enqueue_once(queue, "default", "mine", BODY)).item_ids == [1]
    assert queue.stored == ["mine"]


async def test_a_batch_whose_items_cannot_be_asked_for_is_not_sent_again() -> None:
    class Old(Queue):
        async def send(self, call: Call[Any]) -> Any:
            answer = await super().send(call)
            return EnqueueResult(enqueued=1, requested=1) if isinstance(answer, EnqueueResult) else answer

    queue = Old([])
    queue.questions_lost = 2
    part = await enqueue_once(queue, "default", "mine", BODY)
    assert (part.item_ids, part.took_all()) == ([1], True)
    assert queue.stored == ["mine"]


async def test_what_the_server_refuses_is_not_sent_again() -> None:
    def refuse(_: Queue, __: str) -> None:
        raise errors.GraphRejectedError("no", status=422, method="POST", url="u")

    queue = Queue([refuse])
    with pytest.raises(errors.GraphRejectedError):
        await enqueue_once(queue, "default", "mine", BODY)
    assert queue.asked == ["enqueue_batch"]


async def test_of_the_rest_of_a_batch_only_what_is_new_is_told() -> None:
    queue = Queue([lost_after])
    queue.stored += ["mine", "other"]
    part = await enqueue_once(queue, "default", "mine", BODY, known=frozenset({1}))
    assert part.item_ids == [3]
    assert not part.took_all()  # how many were asked for is not known without the answer
    assert queue.stored == ["mine", "other", "mine"]


async def test_a_queue_with_room_for_a_part_tells_so() -> None:
    class Full(Queue):
        async def send(self, call: Call[Any]) -> Any:
            return EnqueueResult(enqueued=1, requested=3, item_ids=[1])

    part = await enqueue_once(Full([]), "default", "mine", BODY)
    assert (part.item_ids, part.requested, part.took_all()) == ([1], 3, False)


async def test_a_server_that_names_no_items_is_asked_for_them() -> None:
    class Old(Queue):
        async def send(self, call: Call[Any]) -> Any:
            answer = await super().send(call)
            return EnqueueResult(enqueued=1, requested=1) if isinstance(answer, EnqueueResult) else answer

    queue = Old([])
    queue.stored.append("another")
    assert (await enqueue_once(queue, "default", "mine", BODY)).item_ids == [2]
