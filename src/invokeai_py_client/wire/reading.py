"""Readers for successful responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from invokeai_py_client.wire.call import Response

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.base import Record

R = TypeVar("R", bound="Record")


def record(kind: type[R]) -> Callable[[Response], R]:
    """Make a reader of one record."""
    return lambda response: kind.model_validate(response.json())


def record_or_none(kind: type[R]) -> Callable[[Response], R | None]:
    """Make a reader of one record, or of null as None."""

    def read(response: Response) -> R | None:
        body = response.json()
        return None if body is None else kind.model_validate(body)

    return read


def list_of(kind: type[R], *, under: str | None = None) -> Callable[[Response], list[R]]:
    """Make a reader of a list of records; with `under`, the list is the value of that key in an object."""

    def read(response: Response) -> list[R]:
        body = response.json()
        return [kind.model_validate(one) for one in (body if under is None else body[under])]

    return read


def content(response: Response) -> bytes:
    """Return the body, which is a file."""
    response.check_file(len(response.content))
    return response.content


def texts(response: Response) -> list[str]:
    """Read a list of strings, such as names."""
    return [str(text) for text in response.json()]


def number(response: Response) -> int:
    """Read a number, such as a count."""
    return int(response.json())


def maybe_object(response: Response) -> dict[str, Any] | None:
    """Read a JSON object, or null as None."""
    found: dict[str, Any] | None = response.json()
    return found


def nothing(_: Response) -> None:
    """Ignore the response."""
    return
