"""Reads a good answer: as one record, as a list of them, as it came, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from invokeai_py_client.wire.call import Response

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.base import Record

R = TypeVar("R", bound="Record")


def record(kind: type[R]) -> Callable[[Response], R]:
    """A reader of one record."""
    return lambda response: kind.model_validate(response.json())


def list_of(kind: type[R], *, under: str | None = None) -> Callable[[Response], list[R]]:
    """A reader of a list of records, which may stand under a name in an object."""

    def read(response: Response) -> list[R]:
        answer = response.json()
        return [kind.model_validate(one) for one in (answer if under is None else answer[under])]

    return read


def content(response: Response) -> bytes:
    """The body as it came: a file."""
    response.check_file(len(response.content))
    return response.content


def texts(response: Response) -> list[str]:
    """A list of texts, such as names."""
    return [str(text) for text in response.json()]


def number(response: Response) -> int:
    """A number, such as a count."""
    return int(response.json())


def maybe_object(response: Response) -> dict[str, Any] | None:
    """A JSON object, or null."""
    found: dict[str, Any] | None = response.json()
    return found


def nothing(_: Response) -> None:
    """What the server answers says nothing."""
    return
