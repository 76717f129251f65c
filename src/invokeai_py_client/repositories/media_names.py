"""Images and videos by whatever names them, one or many, and what is to be uploaded."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any

from invokeai_py_client.files import FileKind
from invokeai_py_client.image import Image
from invokeai_py_client.repositories.uploads import check_source, is_pillow
from invokeai_py_client.wire.records import ImageRecord, VideoRecord

ImageLike = str | ImageRecord | Image
"""An image of the server: its name, its record, or an `Image`, as a run has them."""

ImagesLike = ImageLike | Iterable[ImageLike] | AsyncIterable[ImageLike]
"""One image or many: a list, a `Listing`, whatever can be iterated; under `client.aio` also with `async for`."""

VideoLike = str | VideoRecord
"""A video of the server: its name or its record."""

VideosLike = VideoLike | Iterable[VideoLike] | AsyncIterable[VideoLike]
"""One video or many, as `ImagesLike`."""


def image_name_of(image: object) -> str:
    """The name of an `ImageLike`.

    Raises:
        TypeError: it is none.
    """
    if isinstance(image, str):
        return image
    if isinstance(image, ImageRecord):
        return image.image_name
    if isinstance(image, Image):
        return image.name
    raise TypeError(f"an image is its name, its record or an Image, not {type(image).__name__}")


def video_name_of(video: object) -> str:
    """The name of a `VideoLike`.

    Raises:
        TypeError: it is none.
    """
    if isinstance(video, str):
        return video
    if isinstance(video, VideoRecord):
        return video.video_name
    raise TypeError(f"a video is its name or its record, not {type(video).__name__}")


def image_names_of(images: ImagesLike) -> list[str]:
    """The names of `ImagesLike`, each once.

    Raises:
        TypeError: one is no `ImageLike`; the message says where it stands.
    """
    return names_of(images, image_name_of)


def is_one(things: object) -> bool:
    """Whether it is a single one that could also be many."""
    return isinstance(things, str | ImageRecord | VideoRecord | Image)


def names_of(things: Any, name_of: Callable[[object], str]) -> list[str]:
    """The names of one thing or of many, each once.

    Raises:
        TypeError: one is not what `name_of` takes; the message says where it stands.
    """
    if is_one(things) or not hasattr(things, "__iter__"):
        return [name_of(things)]
    names: dict[str, None] = {}
    for index, thing in enumerate(things):
        try:
            names[name_of(thing)] = None
        except TypeError as error:
            raise TypeError(f"at index {index}: {error}") from None
    return [*names]


def sources_of(sources: Any, kind: FileKind) -> list[Any]:
    """What is to be uploaded, one or many, as a list.

    Raises:
        TypeError: one cannot be uploaded; the message says where it stands.
    """
    is_one = isinstance(sources, str | os.PathLike | bytes | bytearray | memoryview)
    if is_one or hasattr(sources, "read") or is_pillow(sources) or not hasattr(sources, "__iter__"):
        check_source(sources, kind)
        return [sources]
    found = [*sources]
    for index, source in enumerate(found):
        check_source(source, kind, f"at index {index}: ")
    return found
