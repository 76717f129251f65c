"""Typed objects that read as mappings."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from invokeai_py_client.live.state.queue_item import QueueItem
from invokeai_py_client.wire.events import decode
from invokeai_py_client.wire.records.images import ImageRecord
from invokeai_py_client.wire.records.workflows import WorkflowSummary

IMAGE = {
    "image_name": "a.png",
    "width": 8,
    "height": 4,
    "image_category": "general",
    "image_origin": "internal",
    "is_intermediate": False,
    "created_at": "now",
}
EVENT = decode("queue_item_status_changed", {"queue_id": "q", "item_id": 1, "batch_id": "b", "status": "completed"})


@pytest.mark.parametrize(
    ("thing", "name", "value"),
    [
        (ImageRecord.model_validate(IMAGE), "width", 8),
        (QueueItem(item_id=1, batch_id="b", queue_id="q"), "item_id", 1),
        (EVENT, "item_id", 1),
    ],
    ids=["record", "item", "event"],
)
def test_it_is_a_mapping(thing: Mapping[str, object], name: str, value: object) -> None:
    assert isinstance(thing, Mapping)
    assert thing[name] == thing.get(name) == dict(thing)[name] == dict(thing.items())[name] == value
    assert name in thing
    assert [*thing] == [*thing.keys()]
    assert len(thing) == len([*thing.values()])
    assert ("nothing" in thing, thing.get("nothing", 3)) == (False, 3)
    with pytest.raises(KeyError):
        thing["nothing"]


def test_records_are_equal_if_they_hold_the_same_and_can_be_kept_in_sets() -> None:
    one, same = ImageRecord.model_validate(IMAGE), ImageRecord.model_validate(IMAGE)
    assert one == same
    assert {one, same} == {one}
    assert one != ImageRecord.model_validate(IMAGE | {"width": 9})


def test_what_else_a_server_sends_may_be_called_as_a_method_is() -> None:
    record = WorkflowSummary.model_validate({"workflow_id": "w", "name": "n", "items": [1], "get": 2})
    assert (record["items"], record["get"], dict(record)["items"]) == ([1], 2, [1])
