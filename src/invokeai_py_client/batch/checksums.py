"""Checksums of the values that are sent for a row, by which the items of a batch are matched with its rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from invokeai_py_client.batch.journal import SentRow

# `json.dumps` with options would create an encoder for each row.
_ENCODER = json.JSONEncoder(separators=(",", ":"), sort_keys=True)


def checksums(data: Sequence[Sequence[Mapping[str, Any]]], count: int) -> list[str]:
    """Return a checksum of the values of each item of a batch, from its batch data.

    Args:
        data: the batch data: at most one list, whose entries are zipped.
        count: the number of items.
    """
    if not data:
        return [checksum([])] * count
    # Builds the strings that `checksum` hashes, but encodes the names, which all items share, only once.
    (group,) = data
    columns = []
    for datum in group:
        names = _text([datum["node_path"], datum["field_name"]])[:-1]
        columns.append([f"{names},{_text(value)}]" for value in datum["items"]])
    return [_sum(f"[{','.join(values)}]") for values in zip(*columns, strict=True)]


def checksum(values: Iterable[tuple[str, str, Any]]) -> str:
    """Return the checksum of the (node id, field name, value) triples of one item."""
    return _sum(_text([*values]))


def _sum(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _text(value: Any) -> str:
    """Return a value as JSON that does not depend on the order of keys."""
    return repr(value) if type(value) is int else _ENCODER.encode(_plain(value))


def _plain(value: Any) -> Any:
    """Return a value with equal numbers in the same form, as the server may return 4 as 4.0."""
    if isinstance(value, str | int):
        return value
    if isinstance(value, list | tuple):
        return [*map(_plain, value)]
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def aligned(rows: Sequence[SentRow], items: Sequence[tuple[int, str]]) -> dict[int, int]:
    """Find which item of a batch runs which row.

    The server creates the items in the order of the rows. Items may be missing, because they did not fit into the queue
    or were deleted, and there may be additional ones that were retried.

    Args:
        rows: the rows as they were sent.
        items: the id of each item and the checksum of its values, in ascending order of ids.

    Returns:
        The positions of the rows by item id. Rows without an item, and items without a row, are left out.
    """
    places: dict[int, int] = {}
    free: dict[str, list[int]] = {}
    for place in range(len(rows) - 1, -1, -1):
        free.setdefault(rows[place].checksum, []).append(place)
    for item_id, of_item in items:
        if free.get(of_item):
            places[item_id] = free[of_item].pop()
    return places
