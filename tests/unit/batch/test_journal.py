"""The journal tells what was sent, and which item of the server runs which row."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from invokeai_py_client.batch.checksums import aligned, checksum, checksums
from invokeai_py_client.batch.journal import ChunkIds, Journal, SentChunk, SentRow, Start, is_chunk_id
from invokeai_py_client.batch.recovery import unfinished


def chunk(batch_id: str, *row_ids: str) -> SentChunk:
    return SentChunk(batch_id, [SentRow(row_id, f"sum of {row_id}") for row_id in row_ids])


def test_ids_of_chunks_are_their_own() -> None:
    batch_id = str(uuid4())
    first, second = ChunkIds(batch_id), ChunkIds(batch_id)
    ids = [first.new(), first.new(), second.new()]
    assert len({*ids}) == 3
    assert all(one.startswith(batch_id) and is_chunk_id(one) for one in ids)
    assert (first.count, second.count) == (2, 1)
    assert not any(map(is_chunk_id, [batch_id, f"{batch_id}-1", f"x{ids[0]}", f"{ids[0]}x", ""]))


def test_another_process_reads_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    assert (journal.start, journal.is_canceled, [*journal.chunks()]) == (None, False, [])
    journal.started(Start("hash", {"window": 10}, "id"))
    journal.sending(chunk("a", "1", "2"))
    journal.sending(chunk("b", "3"))
    journal.canceled()
    read = Journal(path)
    assert read.start == Start("hash", {"window": 10}, "id")
    assert [*read.chunks()] == [chunk("a", "1", "2"), chunk("b", "3")]
    assert read.is_canceled
    read.started(Start("hash"))
    assert not Journal(path).is_canceled


def test_a_row_belongs_to_the_latest_chunk_that_has_it() -> None:
    sent = [chunk("a", "1", "2", "3"), chunk("b", "2"), chunk("c", "4")]
    assert [*unfinished(sent, {})] == [
        (sent[0], {0: "1", 2: "3"}),
        (sent[1], {0: "2"}),
        (sent[2], {0: "4"}),
    ]


def test_a_chunk_is_finished_when_the_outcomes_of_its_rows_are_known() -> None:
    sent = [chunk("a", "1", "2"), chunk("b", "2"), chunk("c", "4")]
    # Row 2 has failed in a, and was sent again in b.
    assert [*unfinished(sent, {"a": {"1", "2"}, "c": {"4"}})] == [(sent[1], {0: "2"})]


DATA: list[list[dict[str, Any]]] = [
    [
        {"node_path": "noise", "field_name": "seed", "items": [1, 2]},
        {"node_path": "size", "field_name": "width", "items": [4.0, 4.5]},
        {"node_path": "blur", "field_name": "image", "items": [{"image_name": "a"}, {"image_name": "b"}]},
    ]
]


def test_checksums_are_those_of_what_the_server_says_of_an_item() -> None:
    first, second = checksums(DATA, 2)
    # The server may write the number 4.0 as 4.
    assert first == checksum([("noise", "seed", 1), ("size", "width", 4), ("blur", "image", {"image_name": "a"})])
    assert second != first
    assert checksums([], 2) == [checksum([]), checksum([])]


@given(
    st.lists(
        st.one_of(
            st.integers(), st.floats(allow_nan=False), st.text(), st.booleans(), st.none(), st.lists(st.integers())
        ),
        min_size=1,
    )
)
def test_checksums_of_many_items_are_those_of_each(values: list[Any]) -> None:
    names = [("noise", "seed"), ('a "node"', "\u00e9")]
    data = [[{"node_path": node, "field_name": name, "items": values} for node, name in names]]
    assert checksums(data, len(values)) == [checksum((*each, value) for each in names) for value in values]


def test_items_are_found_by_their_values_where_their_order_does_not_tell() -> None:
    rows = [SentRow(str(n), f"{n}") for n in range(5)]
    assert aligned(rows, [(11, "1"), (13, "3"), (14, "0"), (15, "unknown")]) == {11: 1, 13: 3, 14: 0}


def test_equal_items_are_taken_in_order() -> None:
    rows = [SentRow("a", "same"), SentRow("b", "other"), SentRow("c", "same")]
    assert aligned(rows, [(1, "same"), (2, "other"), (3, "same"), (4, "same")]) == {1: 0, 2: 1, 3: 2}


@given(st.lists(st.sampled_from("abc"), max_size=8), st.data())
def test_items_that_are_missing_at_the_end_move_no_row(sums: list[str], data: st.DataObject) -> None:
    rows = [SentRow(str(place), each) for place, each in enumerate(sums)]
    count = data.draw(st.integers(0, len(sums)))
    assert aligned(rows, [(100 + place, sums[place]) for place in range(count)]) == {
        100 + place: place for place in range(count)
    }
