"""`client.video_repo`: the server's videos, of servers from 6.14."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.errors import NotFoundError
from invokeai_py_client.files import VIDEO, check_target, file_for
from invokeai_py_client.repositories.arguments import (
    BoardLike,
    VideoLike,
    VideosLike,
    board_id_of,
    given,
    names_of,
    sources_of,
    video_name_of,
)
from invokeai_py_client.repositories.media.common import (
    AsyncMedia,
    Category,
    MediaKind,
    Origin,
    change_all,
    document_of,
)
from invokeai_py_client.runtime.listing import Listing, in_parts
from invokeai_py_client.runtime.reporting import reporting
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transfers.concurrent import CONCURRENCY, TransferCallback, TransferReport
from invokeai_py_client.transfers.uploads import FileSource, Upload
from invokeai_py_client.wire.calls import boards, videos
from invokeai_py_client.wire.records.images import VideoRecord, VideoUrls

PAGE = 100


class AsyncVideos(AsyncMedia[VideoRecord]):
    """The server's videos: `client.video_repo`, awaited `client.aio.video_repo`.

    A video is given by its name or its record.
    """

    _kind = MediaKind(
        noun="video",
        file=VIDEO,
        get=videos.get_video,
        get_bytes=videos.get_video_bytes,
        list_names=videos.list_video_names,
        upload=videos.upload_video,
        name_of=video_name_of,
    )

    # Which videos there are

    def list_videos(
        self,
        *,
        board: BoardLike | None = None,
        categories: Category | Sequence[Category] = (),
        origin: Origin | None = None,
        is_intermediate: bool | None = False,
        starred: bool | None = None,
        search: str | None = None,
        newest_first: bool = True,
    ) -> Listing[VideoRecord]:
        """The videos of the server, for `for` and for `async for`; fetched as they are read.

        What is in the list is fixed when its reading begins: what is deleted meanwhile is left out.

        Endpoint: GET /api/v1/videos/names
        Endpoint: GET /api/v1/videos/i/{video_name} (for each video)

        Args:
            board: only those of this board, by id, name or record; `none` for those on no board.
            categories: only these; all if there is none.
            origin: only those made by the server (`internal`), or uploaded (`external`).
            is_intermediate: those nobody is to see (True), the others (False), or all (None).
            starred: only those that are starred (True), or are not (False).
            search: only those in whose metadata this text occurs.
            newest_first: or the oldest first.

        Raises:
            NotFoundError, AmbiguousNameError: of the board; raised when the reading begins.
        """

        async def names() -> list[str]:
            return await self._list_names(board, categories, origin, is_intermediate, starred, search, newest_first)

        return Listing(self._engine, names, self._records, size=PAGE)

    async def _records(self, video_names: Sequence[str]) -> list[VideoRecord]:
        records: list[VideoRecord | None] = []
        for part in in_parts(video_names, CONCURRENCY):
            records += await asyncio.gather(*map(self._record, part))
        return [record for record in records if record is not None]

    async def _record(self, video_name: str) -> VideoRecord | None:
        try:
            return await self._http.send(videos.get_video(video_name))
        except NotFoundError:
            return None

    @on_engine
    async def list_video_names(
        self,
        *,
        board: BoardLike | None = None,
        categories: Category | Sequence[Category] = (),
        origin: Origin | None = None,
        is_intermediate: bool | None = False,
        starred: bool | None = None,
        search: str | None = None,
        newest_first: bool = True,
    ) -> list[str]:
        """The names of the videos of the server, all at once; the arguments are those of `list_videos`.

        Endpoint: GET /api/v1/videos/names
        """
        return await self._list_names(board, categories, origin, is_intermediate, starred, search, newest_first)

    # One video

    @on_engine
    async def get_video(self, video_name: VideoLike) -> VideoRecord:
        """What the server knows of a video.

        Endpoint: GET /api/v1/videos/i/{video_name}

        Raises:
            NotFoundError: there is no video of that name.
        """
        return await self._http.send(videos.get_video(video_name_of(video_name)))

    @on_engine
    async def get_metadata(self, video_name: VideoLike) -> dict[str, Any] | None:
        """What a video says of how it was made; None where it says nothing.

        Endpoint: GET /api/v1/videos/i/{video_name}/metadata

        Raises:
            NotFoundError: there is no video of that name.
        """
        return await self._http.send(videos.get_metadata(video_name_of(video_name)))

    @on_engine
    async def get_workflow(self, video_name: VideoLike) -> dict[str, Any] | None:
        """The workflow that the server keeps for a video; None where it has none.

        Endpoint: GET /api/v1/videos/i/{video_name}/workflow

        Raises:
            NotFoundError: there is no video of that name.
        """
        return document_of((await self._http.send(videos.get_workflow(video_name_of(video_name)))).workflow)

    @on_engine
    async def get_graph(self, video_name: VideoLike) -> dict[str, Any] | None:
        """The graph that made a video, as it was run; None where the server has none.

        Endpoint: GET /api/v1/videos/i/{video_name}/workflow

        Raises:
            NotFoundError: there is no video of that name.
        """
        return document_of((await self._http.send(videos.get_workflow(video_name_of(video_name)))).graph)

    @on_engine
    async def get_urls(self, video_name: VideoLike) -> VideoUrls:
        """Where a video and its thumbnail are to be had, relative to the server's root.

        Endpoint: GET /api/v1/videos/i/{video_name}/urls

        Raises:
            NotFoundError: there is no video of that name.
        """
        name = video_name_of(video_name)
        # The server would give them for any name.
        await self._http.send(videos.get_video(name))
        return await self._http.send(videos.get_urls(name))

    @on_engine
    async def get_video_bytes(self, video_name: VideoLike) -> bytes:
        """The file of a video, in memory.

        Endpoint: GET /api/v1/videos/i/{video_name}/full

        Raises:
            NotFoundError: there is no video of that name.
            AnswerTooLargeError: it is larger than the setting `max_answer_bytes`; `download_video` has no limit.
        """
        return await self._http.send(videos.get_video_bytes(video_name_of(video_name)))

    @on_engine
    async def get_thumbnail(self, video_name: VideoLike) -> bytes:
        """A picture of a video.

        Endpoint: GET /api/v1/videos/i/{video_name}/thumbnail

        Raises:
            NotFoundError: there is no video of that name, or it has none.
        """
        return await self._http.send(videos.get_thumbnail(video_name_of(video_name)))

    @on_engine
    async def download_video(self, video_name: VideoLike, path: str | os.PathLike[str]) -> Path:
        """Stream a video into a file, which appears under its name when it is whole.

        Endpoint: GET /api/v1/videos/i/{video_name}/full

        Args:
            video_name: the video.
            path: the file; one of that name is replaced. A folder takes it under the video's own name; what ends in a
                separator is one, and is made if it is missing.

        Returns:
            The file.

        Raises:
            NotFoundError: there is no video of that name.
            UnsafePathError: the video's own name is to be used, and cannot be a file name.
            OSError: the file cannot be written.
        """
        name = video_name_of(video_name)
        target = file_for(path, name)
        check_target(target)
        await self._http.download(videos.get_video_bytes(name), target)
        return target

    @on_engine
    async def upload_video(
        self,
        path: FileSource,
        *,
        board: BoardLike | None = None,
        category: Category = "user",
        is_intermediate: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> VideoRecord:
        """Put a video on the server, which gives it a name. A file is streamed.

        Not retried if the server may have stored the video: it would exist twice.

        Endpoint: POST /api/v1/videos/upload

        Args:
            path: the path of an MP4 file, its content, or an open binary file.
            board: where it goes, by id, name or record.
            category: what it is.
            is_intermediate: nobody is to see it.
            metadata: what it is to say of how it was made.

        Returns:
            What the server knows of it now.

        Raises:
            NotAnImageError: it is not an MP4, or not a regular file.
            RejectedError: the server cannot read it.
            NotFoundError, AmbiguousNameError: of the board.
            UnsafePathError: it is not a path.
            OSError: the file cannot be read.
        """
        upload = await asyncio.to_thread(Upload, path, kind=VIDEO)
        return await self._send_upload(upload, await self._board_id(board), category, is_intermediate, metadata)

    @on_engine
    async def update_video(
        self,
        video_name: VideoLike,
        *,
        category: Category | None = None,
        is_intermediate: bool | None = None,
        starred: bool | None = None,
    ) -> VideoRecord:
        """Change what the server knows of a video; what is left out stays.

        Endpoint: PATCH /api/v1/videos/i/{video_name}

        Raises:
            NotFoundError: there is no video of that name.
        """
        name = video_name_of(video_name)
        await self._http.send(videos.get_video(name))
        changes = given(video_category=category, is_intermediate=is_intermediate, starred=starred)
        return await self._http.send(videos.update_video(name, changes))

    @on_engine
    async def delete_video(self, video_name: VideoLike) -> str:
        """Delete a video from the server, for good; return its name.

        Endpoint: POST /api/v1/videos/delete

        Raises:
            NotFoundError: there is no video of that name, or it is somebody else's.
        """
        name = video_name_of(video_name)
        self._check_there(name, await self.delete_videos(name))
        return name

    @on_engine
    async def move_to_board(self, video_name: VideoLike, board: BoardLike) -> None:
        """Put a video on a board; `none` for no board.

        Endpoint: POST
        Endpoint: DELETE /api/v1/videos/board

        Raises:
            NotFoundError: there is no such video or board.
            AmbiguousNameError: several boards have that name.
        """
        name = video_name_of(video_name)
        board_id = await board_id_of(board, self._catalog, self._http)
        await self._http.send(videos.get_video(name))
        if board_id == boards.UNCATEGORIZED:
            await self._http.send(videos.remove_video_from_board(name))
        else:
            await self._http.send(videos.add_video_to_board(board_id, name))

    # Many videos

    @on_engine
    async def star_videos(self, video_names: VideosLike) -> list[str]:
        """Star one video, or many; the names of those that are starred now.

        Endpoint: POST /api/v1/videos/star

        Raises:
            NotFoundError: there is no video of the one name that was given.
        """
        changed = await change_all(
            self._http,
            names_of(video_names, video_name_of),
            videos.star_videos,
            lambda answer: answer.starred_videos,
            noun="video",
        )
        return self._told(video_names, changed)

    @on_engine
    async def unstar_videos(self, video_names: VideosLike) -> list[str]:
        """Take the star off one video, or many; the names of those that have none now.

        Endpoint: POST /api/v1/videos/unstar

        Raises:
            NotFoundError: there is no video of the one name that was given.
        """
        changed = await change_all(
            self._http,
            names_of(video_names, video_name_of),
            videos.unstar_videos,
            lambda answer: answer.unstarred_videos,
            noun="video",
        )
        return self._told(video_names, changed)

    @on_engine
    async def delete_videos(self, video_names: VideosLike) -> list[str]:
        """Delete one video, or many, for good; the names of those that are gone now.

        Endpoint: POST /api/v1/videos/delete
        """
        names = names_of(video_names, video_name_of)
        return await change_all(
            self._http, names, videos.delete_videos, lambda answer: answer.deleted_videos, noun="video"
        )

    @reporting
    async def download_many(
        self,
        video_names: VideosLike,
        folder: str | os.PathLike[str],
        *,
        concurrency: int = CONCURRENCY,
        progress_callback: TransferCallback | None = None,
    ) -> TransferReport[Path]:
        """Download many videos into a folder; as `image_repo.download_many` in all.

        Endpoint: GET /api/v1/videos/i/{video_name}/full
        """
        assert progress_callback is not None
        names = names_of(video_names, video_name_of)
        return await self._download_all(names, folder, concurrency, progress_callback)

    @reporting
    async def upload_many(
        self,
        paths: FileSource | Iterable[FileSource] | AsyncIterable[FileSource],
        *,
        board: BoardLike | None = None,
        category: Category = "user",
        log: str | os.PathLike[str] | None = None,
        concurrency: int = CONCURRENCY,
        progress_callback: TransferCallback | None = None,
    ) -> TransferReport[VideoRecord]:
        """Upload many videos; as `image_repo.upload_many` in all.

        Endpoint: POST /api/v1/videos/upload
        """
        assert progress_callback is not None
        sources = sources_of(paths, VIDEO)
        return await self._upload_all(sources, board, category, log, concurrency, progress_callback)
