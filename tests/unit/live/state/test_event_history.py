"""What is kept of a run's events for consumers that start late."""

from __future__ import annotations

import gc

from tests.support.live import item_event, node_payload

from invokeai_py_client.live.state.event_history import MOST_PROGRESS, EventHistory
from invokeai_py_client.wire.events import Event, GeneratorProgress, InvocationComplete, ProgressReport


def progress(history: EventHistory, n: int, node: str = "a", item_id: int = 1) -> None:
    picture = {"dataURL": "data:image/png;base64,aGk=", "width": 8, "height": 8}
    report = item_event("invocation_progress", node_payload(item_id, node_id=node, image=picture))
    assert isinstance(report, ProgressReport)
    history.add_progress(report, (0.0, n, 9))


def test_only_the_latest_picture_of_each_node_is_kept() -> None:
    history = EventHistory()
    for n, node in ((1, "a"), (2, "a"), (1, "b"), (3, "a")):
        progress(history, n, node)
    assert [(event["step"], event["raw"]["image"] is not None) for event in history] == [
        (1, False),
        (2, False),
        (1, True),
        (3, True),
    ]


def test_progress_is_in_its_place_among_the_other_events() -> None:
    history = EventHistory()
    done: Event = InvocationComplete(item_id=1, batch_id="b", node_id="a", invocation_id="a", node={}, result={})
    history.add([done])
    progress(history, 1)
    progress(history, 2)
    history.add([done, done])
    progress(history, 3)
    history.add([done])
    assert [event.get("step", "done") for event in history] == ["done", 1, 2, "done", "done", 3, "done"]


def test_the_oldest_progress_goes_and_nothing_else() -> None:
    history = EventHistory()
    done: Event = InvocationComplete(item_id=1, batch_id="b", node_id="a", invocation_id="a", node={}, result={})
    history.add([done])
    for n in range(MOST_PROGRESS + 5):
        progress(history, n)
    kept = [*history]
    assert kept[0] is done
    assert kept[1]["step"] == 5
    assert len(kept) == 1 + MOST_PROGRESS


def test_a_node_may_go_on_after_its_progress_was_dropped() -> None:
    history = EventHistory()
    progress(history, 1)
    for n in range(MOST_PROGRESS):
        progress(history, n, "b")
    progress(history, 2)
    last = [*history][-1]
    assert (last["invocation_id"], last["step"]) == ("a-1", 2)
    assert [event["step"] for event in history if event["raw"]["image"] is not None] == [MOST_PROGRESS - 1, 2]


def test_pictures_of_the_same_node_of_different_items_are_kept() -> None:
    history = EventHistory()
    progress(history, 1, item_id=1)
    progress(history, 1, item_id=2)
    assert all(event["raw"]["image"] is not None for event in history)


def test_who_reads_does_not_see_what_is_added_meanwhile() -> None:
    history = EventHistory()
    progress(history, 1)
    reader = iter(history)
    progress(history, 2, "b")
    assert [event["step"] for event in reader] == [1]


def test_a_preview_is_decoded_when_it_is_asked_for() -> None:
    history = EventHistory()
    progress(history, 1)
    (event,) = history
    assert isinstance(event, GeneratorProgress)
    preview = event.preview
    assert preview is not None
    assert (preview.content, preview.content_type, preview.width) == (b"hi", "image/png", 8)
    for image in (None, {}, {"dataURL": 5}, {"dataURL": "http://x"}, {"dataURL": "data:image/png;base64,?"}):
        event = GeneratorProgress(
            item_id=1, batch_id="b", node_id="a", invocation_id="a", node={}, raw={"image": image}
        )
        assert event.preview is None


def test_progress_that_is_kept_costs_the_garbage_collector_nothing() -> None:
    history = EventHistory()
    progress(history, 0)
    gc.collect()
    before = len(gc.get_objects())
    for n in range(MOST_PROGRESS):
        progress(history, n)
    assert len(gc.get_objects()) < before + 10
    assert len([*history]) == MOST_PROGRESS
