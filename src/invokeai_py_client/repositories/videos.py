"""`client.video_repo`: the server's videos, of servers from 6.14."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.catalog import Catalog
from invokeai_py_client.errors import NotAnImageError
from invokeai_py_client.files import file_for, is_mp4
from invokeai_py_client.repositories.board_names import BoardLike, board_id_of
from invokeai_py_client.repositories.several import several
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.listing import Listing
from invokeai_py_client.runtime.twins import Blocking, blocking, on_engine, shared
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Query
from invokeai_py_client.wire.calls import boards, videos
from invokeai_py_client.wire.records import VideoRecord

_PAGE = 100


class AsyncVideos:
    """The awaited face: `client.aio.video_repo`."""

    def __init__(self, engine: Engine, http: HttpTransport, catalog: Catalog) -> None:
        self._engine = engine
        self._http = http
        self._catalog = catalog

    def list_videos(
        self, *, board: BoardLike | None = None, search: str | None = None, newest_first: bool = True
    ) -> Listing[VideoRecord]:
        """The videos of the server, for `for` and for `async for`; what is in the list is fixed when reading begins.

        Rests on `GET /api/v1/videos/names` and, for each, `GET /api/v1/videos/i/{video_name}`.

        Args:
            board: only those of this board, by id, name or record; `none` for those on no board.
            search: only those in whose metadata this text occurs.
            newest_first: or the oldest first.

        Raises:
            NotFoundError, AmbiguousNameError: of the board; raised when the reading begins.
        """

        async def names() -> list[str]:
            filters: Query = {
                "board_id": None if board is None else await board_id_of(board, self._catalog, self._http),
                "is_intermediate": False,
                "search_term": search,
                "order_dir": "DESC" if newest_first else "ASC",
                "starred_first": False,
            }
            return (await self._http.send(videos.list_video_names(filters))).video_names

        async def records(video_names: Sequence[str]) -> list[VideoRecord]:
            return [await self._http.send(videos.get_video(name)) for name in video_names]

        return Listing(self._engine, names, records, size=_PAGE)

    @on_engine
    async def get_video(self, video_name: str) -> VideoRecord:
        """What the server knows of a video.

        Rests on `GET /api/v1/videos/i/{video_name}`.

        Raises:
            NotFoundError: there is no video of that name.
        """
        return await self._http.send(videos.get_video(video_name))

    @on_engine
    async def get_metadata(self, video_name: str) -> dict[str, Any] | None:
        """What a video says of how it was made; None where it says nothing.

        Rests on `GET /api/v1/videos/i/{video_name}/metadata`.

        Raises:
            NotFoundError: there is no video of that name.
        """
        return await self._http.send(videos.get_metadata(video_name))

    @on_engine
    async def get_workflow(self, video_name: str) -> dict[str, Any] | None:
        """The workflow that the server keeps for a video; None where it has none.

        Rests on `GET /api/v1/videos/i/{video_name}/workflow`.

        Raises:
            NotFoundError: there is no video of that name.
        """
        kept = (await self._http.send(videos.get_workflow(video_name))).workflow
        document: dict[str, Any] | None = None if kept is None else json.loads(kept)
        return document

    @on_engine
    async def get_thumbnail(self, video_name: str) -> bytes:
        """A picture of a video.

        Rests on `GET /api/v1/videos/i/{video_name}/thumbnail`.

        Raises:
            NotFoundError: there is no video of that name, or it has none.
        """
        return await self._http.send(videos.get_thumbnail(video_name))

    @on_engine
    async def download_video(self, video_name: str, path: str | os.PathLike[str]) -> Path:
        """Stream a video into a file, which appears under its name when it is whole.

        Rests on `GET /api/v1/videos/i/{video_name}/full`.

        Args:
            video_name: the server's name for it.
            path: the file; one of that name is replaced. An existing folder takes it under the video's own name.

        Raises:
            NotFoundError: there is no video of that name.
            UnsafePathError: the video's own name is to be used, and cannot be a file name.
            OSError: the file cannot be written.
        """
        target = file_for(path, video_name)
        await self._http.download(videos.get_video_bytes(video_name), target)
        return target

    @on_engine
    async def upload_video(
        self, path: str | os.PathLike[str], *, board: BoardLike | None = None, is_intermediate: bool = False
    ) -> VideoRecord:
        """Put a video file on the server, streamed.

        Rests on `POST /api/v1/videos/upload`. It is sent once.

        Args:
            path: an MP4 file.
            board: where it goes, by id, name or record.
            is_intermediate: nobody is to see it.

        Raises:
            NotAnImageError: it is no MP4.
            RejectedError: the server cannot read it.
            NotFoundError, AmbiguousNameError: of the board.
            OSError: the file cannot be read.
        """
        source = Path(path)
        if not await asyncio.to_thread(is_mp4, source):
            raise NotAnImageError(f"{source} is no MP4 video.", name=str(source), hint="The server takes only MP4.")
        call = videos.upload_video(
            source,
            filename=source.name,
            content_type="video/mp4",
            category="user",
            is_intermediate=is_intermediate,
            board_id=None if board is None else await board_id_of(board, self._catalog, self._http),
        )
        return await self._http.send(call)

    @on_engine
    async def update_video(
        self, video_name: str, *, starred: bool | None = None, is_intermediate: bool | None = None
    ) -> VideoRecord:
        """Change what the server knows of a video; what is left out stays.

        Rests on `PATCH /api/v1/videos/i/{video_name}`.

        Raises:
            NotFoundError: there is no video of that name.
        """
        await self._http.send(videos.get_video(video_name))
        changes: dict[str, Any] = {"starred": starred, "is_intermediate": is_intermediate}
        return await self._http.send(
            videos.update_video(video_name, {name: value for name, value in changes.items() if value is not None})
        )

    @on_engine
    async def star_videos(self, video_names: str | Iterable[str]) -> list[str]:
        """Star videos; the names of those that are starred now.

        Rests on `POST /api/v1/videos/star`.
        """
        return (await self._http.send(videos.star_videos(several(video_names)))).starred_videos

    @on_engine
    async def unstar_videos(self, video_names: str | Iterable[str]) -> list[str]:
        """Take the star off videos; the names of those that have none now.

        Rests on `POST /api/v1/videos/unstar`.
        """
        return (await self._http.send(videos.unstar_videos(several(video_names)))).unstarred_videos

    @on_engine
    async def delete_videos(self, video_names: str | Iterable[str]) -> list[str]:
        """Delete videos, for good; the names of those that are gone now.

        Rests on `POST /api/v1/videos/delete`.
        """
        return (await self._http.send(videos.delete_videos(several(video_names)))).deleted_videos

    @on_engine
    async def move_to_board(self, video_name: str, board: BoardLike) -> None:
        """Put a video on a board; `none` for no board.

        Rests on `POST` and `DELETE /api/v1/videos/board`.

        Raises:
            NotFoundError: there is no such video or board.
            AmbiguousNameError: several boards have that name.
        """
        board_id = await board_id_of(board, self._catalog, self._http)
        await self._http.send(videos.get_video(video_name))
        if board_id == boards.UNCATEGORIZED:
            await self._http.send(videos.remove_video_from_board(video_name))
        else:
            await self._http.send(videos.add_video_to_board(board_id, video_name))


class Videos(Blocking[AsyncVideos]):
    """The server's videos: `client.video_repo`."""

    list_videos = shared(AsyncVideos.list_videos)
    get_video = blocking(AsyncVideos.get_video)
    get_metadata = blocking(AsyncVideos.get_metadata)
    get_workflow = blocking(AsyncVideos.get_workflow)
    get_thumbnail = blocking(AsyncVideos.get_thumbnail)
    download_video = blocking(AsyncVideos.download_video)
    upload_video = blocking(AsyncVideos.upload_video)
    update_video = blocking(AsyncVideos.update_video)
    star_videos = blocking(AsyncVideos.star_videos)
    unstar_videos = blocking(AsyncVideos.unstar_videos)
    delete_videos = blocking(AsyncVideos.delete_videos)
    move_to_board = blocking(AsyncVideos.move_to_board)
