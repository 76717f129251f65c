from __future__ import annotations

from invokeai_py_client.live.state.event_history import MOST_PROGRESS, EventHistory
from invokeai_py_client.wire.events import Event, GeneratorProgress, InvocationComplete


def progress(n: int, node: str = "a") -> GeneratorProgress:
    raw = {"image": {"dataURL": "data:image/png;base64,aGk=", "width": 8, "height": 8}}
    return GeneratorProgress(
        item_id=1, batch_id="b", node_id=node, invocation_id=node, node={}, step=n, total_steps=9, raw=raw
    )


def test_only_the_latest_picture_of_each_node_is_kept() -> None:
    history = EventHistory()
    history.add([progress(1), progress(2), progress(1, "b"), progress(3)])
    assert [(event["step"], event["raw"]["image"] is not None) for event in history] == [
        (1, False),
        (2, False),
        (1, True),
        (3, True),
    ]


def test_the_oldest_progress_goes_and_nothing_else() -> None:
    history = EventHistory()
    done: Event = InvocationComplete(item_id=1, batch_id="b", node_id="a", invocation_id="a", node={}, result={})
    history.add([done])
    for n in range(MOST_PROGRESS + 5):
        history.add([progress(n)])
    kept = [*history]
    assert kept[0] is done
    assert kept[1]["step"] == 5
    assert len(kept) == 1 + MOST_PROGRESS
    assert history.dropped == 5


def test_a_preview_is_decoded_when_it_is_asked_for() -> None:
    preview = progress(1).preview
    assert preview is not None
    assert (preview.content, preview.content_type, preview.width) == (b"hi", "image/png", 8)
    for image in (None, {}, {"dataURL": 5}, {"dataURL": "http://x"}, {"dataURL": "data:image/png;base64,?"}):
        event = GeneratorProgress(
            item_id=1, batch_id="b", node_id="a", invocation_id="a", node={}, raw={"image": image}
        )
        assert event.preview is None
