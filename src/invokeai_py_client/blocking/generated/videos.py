# Generated from repositories/media/videos.py by scripts/generate_blocking.py. Do not edit.
"""`Videos`: the methods of `AsyncVideos`, blocking."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from invokeai_py_client.repositories.arguments import BoardLike, VideoLike, VideosLike
from invokeai_py_client.repositories.media.common import Category, Origin
from invokeai_py_client.repositories.media.videos import AsyncVideos
from invokeai_py_client.runtime.listing import Listing
from invokeai_py_client.runtime.reporting import block_reporting
from invokeai_py_client.runtime.twins import Blocking, read_here
from invokeai_py_client.transfers.concurrent import CONCURRENCY, TransferCallback, TransferReport
from invokeai_py_client.transfers.uploads import FileSource
from invokeai_py_client.wire.records.images import VideoRecord, VideoUrls


class Videos(Blocking[AsyncVideos]):
    """The server's videos: `client.video_repo`, awaited `client.aio.video_repo`.

    Methods accept a video as its name or its record.
    """

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
        return self._aio.list_videos(
            board=board,
            categories=categories,
            origin=origin,
            is_intermediate=is_intermediate,
            starred=starred,
            search=search,
            newest_first=newest_first,
        )

    def list_video_names(
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
        work = self._aio.list_video_names(
            board=board,
            categories=read_here(categories),
            origin=origin,
            is_intermediate=is_intermediate,
            starred=starred,
            search=search,
            newest_first=newest_first,
        )
        del board, categories, origin, is_intermediate, starred, search, newest_first
        return self._aio._engine.block(work)

    def get_video(self, video_name: VideoLike) -> VideoRecord:
        """Return the record of a video.

        Endpoint: GET /api/v1/videos/i/{video_name}

        Raises:
            NotFoundError: there is no video with that name.
        """
        work = self._aio.get_video(video_name)
        del video_name
        return self._aio._engine.block(work)

    def get_metadata(self, video_name: VideoLike) -> dict[str, Any] | None:
        """Return the generation metadata of a video; None if it has none.

        Endpoint: GET /api/v1/videos/i/{video_name}/metadata

        Raises:
            NotFoundError: there is no video with that name.
        """
        work = self._aio.get_metadata(video_name)
        del video_name
        return self._aio._engine.block(work)

    def get_workflow(self, video_name: VideoLike) -> dict[str, Any] | None:
        """Return the workflow that the server stores with a video; None if it has none.

        Endpoint: GET /api/v1/videos/i/{video_name}/workflow

        Raises:
            NotFoundError: there is no video with that name.
        """
        work = self._aio.get_workflow(video_name)
        del video_name
        return self._aio._engine.block(work)

    def get_graph(self, video_name: VideoLike) -> dict[str, Any] | None:
        """Return the graph that created a video; None if the server has none.

        Endpoint: GET /api/v1/videos/i/{video_name}/workflow

        Raises:
            NotFoundError: there is no video with that name.
        """
        work = self._aio.get_graph(video_name)
        del video_name
        return self._aio._engine.block(work)

    def get_urls(self, video_name: VideoLike) -> VideoUrls:
        """Return the URLs of a video and its thumbnail, relative to the server's root.

        Endpoint: GET /api/v1/videos/i/{video_name}/urls

        Raises:
            NotFoundError: there is no video with that name.
        """
        work = self._aio.get_urls(video_name)
        del video_name
        return self._aio._engine.block(work)

    def get_video_bytes(self, video_name: VideoLike) -> bytes:
        """Return the content of a video file.

        Endpoint: GET /api/v1/videos/i/{video_name}/full

        Raises:
            NotFoundError: there is no video with that name.
            AnswerTooLargeError: the file is larger than the setting `max_answer_bytes`. Use `download_video`, which has
                a higher limit.
        """
        work = self._aio.get_video_bytes(video_name)
        del video_name
        return self._aio._engine.block(work)

    def get_thumbnail(self, video_name: VideoLike) -> bytes:
        """Return the thumbnail of a video, as an image file.

        Endpoint: GET /api/v1/videos/i/{video_name}/thumbnail

        Raises:
            NotFoundError: there is no video with that name, or it has no thumbnail.
        """
        work = self._aio.get_thumbnail(video_name)
        del video_name
        return self._aio._engine.block(work)

    def download_video(self, video_name: VideoLike, path: str | os.PathLike[str]) -> Path:
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
        work = self._aio.download_video(video_name, path)
        del video_name, path
        return self._aio._engine.block(work)

    def upload_video(
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
        work = self._aio.upload_video(
            path, board=board, category=category, is_intermediate=is_intermediate, metadata=metadata
        )
        del path, board, category, is_intermediate, metadata
        return self._aio._engine.block(work)

    def update_video(
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
        work = self._aio.update_video(video_name, category=category, is_intermediate=is_intermediate, starred=starred)
        del video_name, category, is_intermediate, starred
        return self._aio._engine.block(work)

    def delete_video(self, video_name: VideoLike) -> str:
        """Permanently delete a video from the server; return its name.

        Endpoint: POST /api/v1/videos/delete

        Raises:
            NotFoundError: there is no video with that name, or it belongs to another user.
        """
        work = self._aio.delete_video(video_name)
        del video_name
        return self._aio._engine.block(work)

    def move_to_board(self, video_name: VideoLike, board: BoardLike) -> None:
        """Move a video to a board; `none` removes it from its board.

        Endpoint: POST /api/v1/videos/board
        Endpoint: DELETE /api/v1/videos/board

        Raises:
            NotFoundError: there is no such video or board.
            AmbiguousNameError: several boards have that name.
        """
        work = self._aio.move_to_board(video_name, board)
        del video_name, board
        return self._aio._engine.block(work)

    def star_videos(self, video_names: VideosLike) -> list[str]:
        """Star one video or many; return the names of those that are starred now.

        Endpoint: POST /api/v1/videos/star

        Raises:
            NotFoundError: a single video was passed, and it does not exist.
        """
        work = self._aio.star_videos(read_here(video_names))
        del video_names
        return self._aio._engine.block(work)

    def unstar_videos(self, video_names: VideosLike) -> list[str]:
        """Unstar one video or many; return the names of those that are unstarred now.

        Endpoint: POST /api/v1/videos/unstar

        Raises:
            NotFoundError: a single video was passed, and it does not exist.
        """
        work = self._aio.unstar_videos(read_here(video_names))
        del video_names
        return self._aio._engine.block(work)

    def delete_videos(self, video_names: VideosLike) -> list[str]:
        """Permanently delete one video or many; return the names of the deleted ones.

        Endpoint: POST /api/v1/videos/delete
        """
        work = self._aio.delete_videos(read_here(video_names))
        del video_names
        return self._aio._engine.block(work)

    def download_many(
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
        video_names = read_here(video_names)
        return block_reporting(
            self._aio._engine,
            lambda report: self._aio.download_many(
                video_names, folder, concurrency=concurrency, progress_callback=report
            ),
            progress_callback,
        )

    def upload_many(
        self,
        paths: FileSource | Iterable[FileSource],
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
        paths = read_here(paths)
        return block_reporting(
            self._aio._engine,
            lambda report: self._aio.upload_many(
                paths, board=board, category=category, log=log, concurrency=concurrency, progress_callback=report
            ),
            progress_callback,
        )
