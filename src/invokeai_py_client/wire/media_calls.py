"""Routes that images and videos share. They differ in the noun, which is in paths, parameters and names of fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

from invokeai_py_client.wire.call import GONE, Call, Part, Query, Response, api_path, get, idempotent, json_of
from invokeai_py_client.wire.reading import record

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.base import Record
    from invokeai_py_client.wire.records.images import DeletedImages, DeletedVideos

T = TypeVar("T")
R = TypeVar("R", bound="Record")
D = TypeVar("D", "DeletedImages", "DeletedVideos")

Noun = Literal["image", "video"]


def read_one(noun: Noun, name: str, *rest: str, parse: Callable[[Response], T]) -> Call[T]:
    """`GET /api/v1/{noun}s/i/{name}`, or a path below it."""
    return get(api_path(f"{noun}s", "i", name, *rest), parse)


def list_names(noun: Noun, filters: Query, kind: type[R]) -> Call[R]:
    """`GET /api/v1/{noun}s/names`: all names at once."""
    return get(api_path(f"{noun}s", "names"), record(kind), filters)


def upload(
    noun: Noun,
    kind: type[R],
    content: bytes | Path | BinaryIO,
    *,
    filename: str,
    content_type: str,
    category: str,
    is_intermediate: bool,
    board_id: str | None,
    metadata: Mapping[str, Any] | None,
) -> Call[R]:
    """`POST /api/v1/{noun}s/upload`: the server chooses the name. Not idempotent."""
    parts = [Part("file", content, filename, content_type)]
    if metadata is not None:
        parts.append(Part("metadata", json_of(metadata, "The metadata").decode()))
    return Call(
        "POST",
        api_path(f"{noun}s", "upload"),
        record(kind),
        query={f"{noun}_category": category, "is_intermediate": is_intermediate, "board_id": board_id},
        parts=parts,
    )


def update(noun: Noun, name: str, changes: Mapping[str, Any], kind: type[R]) -> Call[R]:
    """`PATCH /api/v1/{noun}s/i/{name}`: its category, `is_intermediate` or `starred`."""
    return idempotent("PATCH", api_path(f"{noun}s", "i", name), record(kind), body=dict(changes))


def change_many(noun: Noun, verb: str, names: Sequence[str], parse: Callable[[Response], T]) -> Call[T]:
    """`POST /api/v1/{noun}s/{verb}`: names that do not exist are missing from the response."""
    return idempotent("POST", api_path(f"{noun}s", verb), parse, body={f"{noun}_names": list(names)})


def deleted(noun: Noun, names: Sequence[str], kind: type[D]) -> Callable[[Response], D]:
    """Return a reader of the response to a deletion.

    The response to a retry does not list what the first attempt deleted, so every name that did not fail counts as
    deleted.
    """
    unique = [*dict.fromkeys(names)]

    def read(response: Response) -> D:
        if response.status_code in GONE:
            return kind.model_validate({f"deleted_{noun}s": unique})
        result = kind.model_validate(response.json())
        if response.is_repeat:
            failed = frozenset(result[f"failed_{noun}s"])
            result = result.model_copy(update={f"deleted_{noun}s": [name for name in unique if name not in failed]})
        return result

    return read
