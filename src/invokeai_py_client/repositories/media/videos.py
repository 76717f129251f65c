"""`client.video_repo`: the server's videos, on InvokeAI 6.14 or later."""

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

    Methods accept a video as its name or its record.
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

    # Listing

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
        """Iterate over videos of the server, with `for` or `async for`. Records are fetched during the iteration.

        The list of videos is fetched when the iteration starts, which is also when errors are raised. Videos that are
        deleted during the iteration are skipped.

        Endpoint: GET /api/v1/videos/names
        Endpoint: GET /api/v1/videos/i/{video_name} (for each video)

        Args:
            board: only videos of this board, by id, name or record; `none` for videos that are not on a board.
            categories: only videos of these categories; empty for all.
            origin: only videos that the server created (`internal`) or that were uploaded (`external`).
            is_intermediate: True: only intermediate videos. False: no intermediate videos. None: both.
            starred: True: only starred videos. False: no starred videos. None: both.
            search: only videos whose metadata contain this text.
            newest_first: True for the newest first, False for the oldest first.

        Raises:
            NotFoundError: there is no such board.
            AmbiguousNameError: several boards have that name.
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
        """Return the names of videos of the server as a list. The arguments are those of `list_videos`.

        Endpoint: GET /api/v1/videos/names
        """
        return await self._list_names(board, categories, origin, is_intermediate, starred, search, newest_first)

    # One video

    @on_engine
    async def get_video(self, video_name: VideoLike) -> VideoRecord:
        """Return the record of a video.

        Endpoint: GET /api/v1/videos/i/{video_name}

        Raises:
            NotFoundError: there is no video with that name.
        """
        return await self._http.send(videos.get_video(video_name_of(video_name)))

    @on_engine
    async def get_metadata(self, video_name: VideoLike) -> dict[str, Any] | None:
        """Return the generation metadata of a video; None if it has none.

        Endpoint: GET /api/v1/videos/i/{video_name}/metadata

        Raises:
            NotFoundError: there is no video with that name.
        """
        return await self._http.send(videos.get_metadata(video_name_of(video_name)))

    @on_engine
    async def get_workflow(self, video_name: VideoLike) -> dict[str, Any] | None:
        """Return the workflow that the server stores with a video; None if it has none.

        Endpoint: GET /api/v1/videos/i/{video_name}/workflow

        Raises:
            NotFoundError: there is no video with that name.
        """
        return document_of((await self._http.send(videos.get_workflow(video_name_of(video_name)))).workflow)

    @on_engine
    async def get_graph(self, video_name: VideoLike) -> dict[str, Any] | None:
        """Return the graph that created a video; None if the server has none.

        Endpoint: GET /api/v1/videos/i/{video_name}/workflow

        Raises:
            NotFoundError: there is no video with that name.
        """
        return document_of((await self._http.send(videos.get_workflow(video_name_of(video_name)))).graph)

    @on_engine
    async def get_urls(self, video_name: VideoLike) -> VideoUrls:
        """Return the URLs of a video and its thumbnail, relative to the server's root.

        Endpoint: GET /api/v1/videos/i/{video_name}/urls

        Raises:
            NotFoundError: there is no video with that name.
        """
        name = video_name_of(video_name)
        # The server returns URLs for any name.
        await self._http.send(videos.get_video(name))
        return await self._http.send(videos.get_urls(name))

    @on_engine
    async def get_video_bytes(self, video_name: VideoLike) -> bytes:
        """Return the content of a video file.

        Endpoint: GET /api/v1/videos/i/{video_name}/full

        Raises:
            NotFoundError: there is no video with that name.
            AnswerTooLargeError: the file is larger than the setting `max_answer_bytes`. Use `download_video`, which has
                a higher limit.
        """
        return await self._http.send(videos.get_video_bytes(video_name_of(video_name)))

    @on_engine
    async def get_thumbnail(self, video_name: VideoLike) -> bytes:
        """Return the thumbnail of a video, as an image file.

        Endpoint: GET /api/v1/videos/i/{video_name}/thumbnail

        Raises:
            NotFoundError: there is no video with that name, or it has no thumbnail.
        """
        return await self._http.send(videos.get_thumbnail(video_name_of(video_name)))

    @on_engine
    async def download_video(self, video_name: VideoLike, path: str | os.PathLike[str]) -> Path:
        """Stream a video to a file. The file is replaced atomically, when the download is complete.

        Endpoint: GET /api/v1/videos/i/{video_name}/full

        Args:
            video_name: the video.
            path: the file, or a folder, where the file gets the video's name. A path that ends in a separator is a
                folder, which is created if it is missing. An existing file is replaced.

        Returns:
            The path of the file.

        Raises:
            NotFoundError: there is no video with that name.
            UnsafePathError: `path` is a folder, and the video's name cannot be a file name.
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
        """Upload a video. Files are streamed.

        The request is not retried if the server may have stored the video, as that would create a duplicate.

        Endpoint: POST /api/v1/videos/upload

        Args:
            path: the path of an MP4 file, its content, or an open binary file.
            board: the board for the video, by id, name or record.
            category: the category of the video.
            is_intermediate: mark the video as intermediate, which hides it in the gallery.
            metadata: the generation metadata.

        Returns:
            The record of the video, with the name that the server gave it.

        Raises:
            NotAnImageError: it is not an MP4 file, or not a regular file.
            RejectedError: the server cannot read the video.
            NotFoundError: there is no such board.
            AmbiguousNameError: several boards have that name.
            UnsafePathError: the path is invalid.
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
        """Change the category, intermediate flag or star of a video. Arguments that are None are not changed.

        Endpoint: PATCH /api/v1/videos/i/{video_name}

        Raises:
            NotFoundError: there is no video with that name.
        """
        name = video_name_of(video_name)
        await self._http.send(videos.get_video(name))
        changes = given(video_category=category, is_intermediate=is_intermediate, starred=starred)
        return await self._http.send(videos.update_video(name, changes))

    @on_engine
    async def delete_video(self, video_name: VideoLike) -> str:
        """Permanently delete a video from the server; return its name.

        Endpoint: POST /api/v1/videos/delete

        Raises:
            NotFoundError: there is no video with that name, or it belongs to another user.
        """
        name = video_name_of(video_name)
        self._check_there(name, await self.delete_videos(name))
        return name

    @on_engine
    async def move_to_board(self, video_name: VideoLike, board: BoardLike) -> None:
        """Move a video to a board; `none` removes it from its board.

        Endpoint: POST /api/v1/videos/board
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
        """Star one video or many; return the names of those that are starred now.

        Endpoint: POST /api/v1/videos/star

        Raises:
            NotFoundError: a single video was passed, and it does not exist.
        """
        return await self._change(video_names, videos.star_videos, lambda result: result.starred_videos)

    @on_engine
    async def unstar_videos(self, video_names: VideosLike) -> list[str]:
        """Unstar one video or many; return the names of those that are unstarred now.

        Endpoint: POST /api/v1/videos/unstar

        Raises:
            NotFoundError: a single video was passed, and it does not exist.
        """
        return await self._change(video_names, videos.unstar_videos, lambda result: result.unstarred_videos)

    @on_engine
    async def delete_videos(self, video_names: VideosLike) -> list[str]:
        """Permanently delete one video or many; return the names of the deleted ones.

        Endpoint: POST /api/v1/videos/delete
        """
        names = names_of(video_names, video_name_of)
        return await change_all(
            self._http, names, videos.delete_videos, lambda result: result.deleted_videos, noun="video"
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
        """Download many videos into a folder. Arguments, result and errors are those of `image_repo.download_many`.

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
        """Upload many videos. Arguments, result and errors are those of `image_repo.upload_many`.

        Endpoint: POST /api/v1/videos/upload
        """
        assert progress_callback is not None
        sources = sources_of(paths, VIDEO)
        return await self._upload_all(sources, board, category, log, concurrency, progress_callback)
