"""The arguments of repository methods: images, videos and boards by name, record or handle, one or many."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import AmbiguousNameError
from invokeai_py_client.files import FileKind, path_of
from invokeai_py_client.pillow import is_pillow
from invokeai_py_client.transfers.uploads import ImageSource, check_source
from invokeai_py_client.transport.error_responses import nearest, not_there
from invokeai_py_client.transport.sender import Sender
from invokeai_py_client.wire import calls
from invokeai_py_client.wire.call import Call
from invokeai_py_client.workflow.references import Unresolved, find_one

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.boards import BoardRecord

T = TypeVar("T")

_MOST_CHOICES = 5
"""How many ids an error lists."""


class HasImageName(Protocol):
    """An image's record, or an `Image`."""

    @property
    def image_name(self) -> str:
        """The image's name."""
        ...


ImageLike = str | HasImageName
"""An image on the server: its name, its record, or an `Image`."""

ImagesLike = ImageLike | Iterable[ImageLike] | AsyncIterable[ImageLike]
"""One image, or an iterable of images, such as a list or a `Listing`; with `client.aio` also an async iterable."""


ImageInput = ImageLike | ImageSource
"""A value for an image input of a workflow: an image on the server, or one to upload."""


class HasVideoName(Protocol):
    """A video's record."""

    @property
    def video_name(self) -> str:
        """The video's name."""
        ...


VideoLike = str | HasVideoName
"""A video on the server: its name or its record."""

VideosLike = VideoLike | Iterable[VideoLike] | AsyncIterable[VideoLike]
"""One video, or an iterable of videos; see `ImagesLike`."""


class HasBoardId(Protocol):
    """A board's record, or a handle of it."""

    @property
    def board_id(self) -> str:
        """The board's id."""
        ...


BoardLike = str | HasBoardId
"""A board: its id, its name, its record, or a handle. `none` stands for the images that are not on a board."""


def several(things: str | Iterable[T]) -> list[str | T]:
    """Return a list: of the items of an iterable, or of a single string.

    Example:
        >>> several("a.png")
        ['a.png']
    """
    return [things] if isinstance(things, str) else [*things]


def image_name_of(image: object) -> str:
    """Return the name of an image.

    Raises:
        TypeError: it is not an image.
    """
    return _name_of(image, "image_name", "an image must be a name, a record or an Image")


def video_name_of(video: object) -> str:
    """Return the name of a video.

    Raises:
        TypeError: it is not a video.
    """
    return _name_of(video, "video_name", "a video must be a name or a record")


def _name_of(thing: object, attribute: str, rule: str) -> str:
    name = thing if isinstance(thing, str) else getattr(thing, attribute, None)
    if isinstance(name, str):
        return name
    raise TypeError(f"{rule}, not {type(thing).__name__}")


def image_names_of(images: ImagesLike) -> list[str]:
    """Return the names of images, without duplicates.

    Raises:
        TypeError: an item is not an image; the message has its index.
    """
    return names_of(images, image_name_of)


def is_one(things: object) -> bool:
    """Return whether an argument that can be one thing or many is a single thing."""
    return isinstance(things, str) or hasattr(things, "image_name") or hasattr(things, "video_name")


def names_of(things: Any, name_of: Callable[[object], str]) -> list[str]:
    """Return the names of one thing or of many, without duplicates.

    Raises:
        TypeError: `name_of` does not accept an item; the message has its index.
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
    """Return the sources of an upload, one or many, as a list. A folder stands for its files, except hidden ones.

    Raises:
        TypeError: an item cannot be uploaded; the message has its index.
    """
    if isinstance(sources, str | os.PathLike) and path_of(sources).is_dir():
        return sorted(path for path in path_of(sources).iterdir() if path.is_file() and not path.name.startswith("."))
    is_one = isinstance(sources, str | os.PathLike | bytes | bytearray | memoryview)
    if is_one or hasattr(sources, "read") or is_pillow(sources) or not hasattr(sources, "__iter__"):
        check_source(sources, kind)
        return [sources]
    found = [*sources]
    for index, source in enumerate(found):
        check_source(source, kind, f"at index {index}: ")
    return found


async def board_id_of(board: BoardLike, catalog: Catalog, http: Sender) -> str:
    """Return the id of a board. An id takes precedence over a name. Names are looked up on the server each time.

    Raises:
        NotFoundError: there is no such board; the message has the most similar names.
        AmbiguousNameError: several boards have that name.
        TypeError: it is not a board.
    """
    if not isinstance(board, str):
        board_id = getattr(board, "board_id", None)
        if not isinstance(board_id, str):
            raise TypeError(f"a board must be an id, a name, a record or a handle, not {type(board).__name__}")
        return board_id
    if board == calls.boards.UNCATEGORIZED:
        return board
    known = await catalog.boards()
    if any(one.board_id == board for one in known):
        return board
    return board_named(board, known, http).board_id


def board_named(name: str, known: Sequence[BoardRecord], http: Sender) -> BoardRecord:
    """Return the board with a name, ignoring case if there is no exact match. Errors are those of `board_id_of`."""
    return the_one(
        name,
        known,
        [lambda board: board.board_name],
        what="board",
        id_of=lambda board: board.board_id,
        call=calls.boards.list_boards(include_archived=True),
        http=http,
    )


def the_one(
    text: str,
    things: Sequence[T],
    ways: Sequence[Callable[[T], str]],
    *,
    what: str,
    id_of: Callable[[T], str],
    call: Call[Any],
    http: Sender,
    hint: str = "",
) -> T:
    """Return the thing with an id or name, by the rules of `find_one`, which also apply to workflow inputs.

    Args:
        text: an id or a name.
        things: the candidates.
        ways: as for `find_one`; the last is the name.
        what: the kind of thing, such as `board`.
        id_of: returns a candidate's unique id.
        call: the request that listed the candidates.
        http: the connection that sent it.
        hint: appended to the most similar names in the message, if nothing is found.

    Raises:
        NotFoundError: no candidate matches; the message has the most similar names.
        AmbiguousNameError: several match; `choices` are their ids.
    """
    try:
        return find_one(text, things, ways, what=what, shown=ways[-1])
    except Unresolved as error:
        if error.candidates:
            ids = tuple(map(id_of, error.candidates))
            raise AmbiguousNameError(
                f"The server has {len(ids)} {what}s named {text!r}.",
                name=text,
                choices=ids,
                hint=f"Pass the id of one: {', '.join(ids[:_MOST_CHOICES])}.",
            ) from None
        names = nearest(text, map(ways[-1], things), f"Its {what}s are")
        raise not_there(f"The server has no {what} {text!r}.", call, http, hint=f"{names} {hint}".strip()) from None


def given(**changes: Any) -> dict[str, Any]:
    """Return the arguments that are not None, which are those that a request changes."""
    return {name: value for name, value in changes.items() if value is not None}
