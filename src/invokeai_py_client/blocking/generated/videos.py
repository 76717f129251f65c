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

    A video is given by its name or its record.
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
        """The names of the videos of the server, all at once; the arguments are those of `list_videos`.

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
        """What the server knows of a video.

        Endpoint: GET /api/v1/videos/i/{video_name}

        Raises:
            NotFoundError: there is no video of that name.
        """
        work = self._aio.get_video(video_name)
        del video_name
        return self._aio._engine.block(work)

    def get_metadata(self, video_name: VideoLike) -> dict[str, Any] | None:
        """What a video says of how it was made; None where it says nothing.

        Endpoint: GET /api/v1/videos/i/{video_name}/metadata

        Raises:
            NotFoundError: there is no video of that name.
        """
        work = self._aio.get_metadata(video_name)
        del video_name
        return self._aio._engine.block(work)

    def get_workflow(self, video_name: VideoLike) -> dict[str, Any] | None:
        """The workflow that the server keeps for a video; None where it has none.

        Endpoint: GET /api/v1/videos/i/{video_name}/workflow

        Raises:
            NotFoundError: there is no video of that name.
        """
        work = self._aio.get_workflow(video_name)
        del video_name
        return self._aio._engine.block(work)

    def get_graph(self, video_name: VideoLike) -> dict[str, Any] | None:
        """The graph that made a video, as it was run; None where the server has none.

        Endpoint: GET /api/v1/videos/i/{video_name}/workflow

        Raises:
            NotFoundError: there is no video of that name.
        """
        work = self._aio.get_graph(video_name)
        del video_name
        return self._aio._engine.block(work)

    def get_urls(self, video_name: VideoLike) -> VideoUrls:
        """Where a video and its thumbnail are to be had, relative to the server's root.

        Endpoint: GET /api/v1/videos/i/{video_name}/urls

        Raises:
            NotFoundError: there is no video of that name.
        """
        work = self._aio.get_urls(video_name)
        del video_name
        return self._aio._engine.block(work)

    def get_video_bytes(self, video_name: VideoLike) -> bytes:
        """The file of a video, in memory.

        Endpoint: GET /api/v1/videos/i/{video_name}/full

        Raises:
            NotFoundError: there is no video of that name.
            AnswerTooLargeError: it is larger than the setting `max_answer_bytes`; `download_video` has no limit.
        """
        work = self._aio.get_video_bytes(video_name)
        del video_name
        return self._aio._engine.block(work)

    def get_thumbnail(self, video_name: VideoLike) -> bytes:
        """A picture of a video.

        Endpoint: GET /api/v1/videos/i/{video_name}/thumbnail

        Raises:
            NotFoundError: there is no video of that name, or it has none.
        """
        work = self._aio.get_thumbnail(video_name)
        del video_name
        return self._aio._engine.block(work)

    def download_video(self, video_name: VideoLike, path: str | os.PathLike[str]) -> Path:
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
        """Change what the server knows of a video; what is left out stays.

        Endpoint: PATCH /api/v1/videos/i/{video_name}

        Raises:
            NotFoundError: there is no video of that name.
        """
        work = self._aio.update_video(video_name, category=category, is_intermediate=is_intermediate, starred=starred)
        del video_name, category, is_intermediate, starred
        return self._aio._engine.block(work)

    def delete_video(self, video_name: VideoLike) -> str:
        """Delete a video from the server, for good; return its name.

        Endpoint: POST /api/v1/videos/delete

        Raises:
            NotFoundError: there is no video of that name, or it is somebody else's.
        """
        work = self._aio.delete_video(video_name)
        del video_name
        return self._aio._engine.block(work)

    def move_to_board(self, video_name: VideoLike, board: BoardLike) -> None:
        """Put a video on a board; `none` for no board.

        Endpoint: POST
        Endpoint: DELETE /api/v1/videos/board

        Raises:
            NotFoundError: there is no such video or board.
            AmbiguousNameError: several boards have that name.
        """
        work = self._aio.move_to_board(video_name, board)
        del video_name, board
        return self._aio._engine.block(work)

    def star_videos(self, video_names: VideosLike) -> list[str]:
        """Star one video, or many; the names of those that are starred now.

        Endpoint: POST /api/v1/videos/star

        Raises:
            NotFoundError: there is no video of the one name that was given.
        """
        work = self._aio.star_videos(read_here(video_names))
        del video_names
        return self._aio._engine.block(work)

    def unstar_videos(self, video_names: VideosLike) -> list[str]:
        """Take the star off one video, or many; the names of those that have none now.

        Endpoint: POST /api/v1/videos/unstar

        Raises:
            NotFoundError: there is no video of the one name that was given.
        """
        work = self._aio.unstar_videos(read_here(video_names))
        del video_names
        return self._aio._engine.block(work)

    def delete_videos(self, video_names: VideosLike) -> list[str]:
        """Delete one video, or many, for good; the names of those that are gone now.

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
        """Download many videos into a folder; as `image_repo.download_many` in all.

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
        """Upload many videos; as `image_repo.upload_many` in all.

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
