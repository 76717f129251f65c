"""Zips of images. The server creates a zip in the background, and sends an event when it is ready."""

from __future__ import annotations

import asyncio
import lzma
import os
import secrets
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from invokeai_py_client.errors import TransferError, UnsafePathError
from invokeai_py_client.files import check_target, file_for, safe_name, shown_name, whole_file
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.timeouts import set_within
from invokeai_py_client.settings import MAX_DOWNLOAD_BYTES, MAX_ZIP_FILES, Settings
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import images
from invokeai_py_client.wire.events import Event

_LONGEST = 3600.0
"""How long, in seconds, the server may take to create a zip."""

_CHUNK = 2**20

_DOWNLOAD_MANY = "Download the images one by one, with download_many()."

_ENCRYPTED = 1

_LOOK = 1.0
"""Seconds between checks whether the socket was connected all the time."""


async def download_zip(
    http: HttpTransport,
    tracker: RunTracker,
    path: str | os.PathLike[str],
    image_names: Sequence[str],
    board_id: str | None,
) -> Path:
    """Request a zip, wait until it is ready, and download it.

    The server deletes a zip after the first download, and would return, and then delete, an incomplete one.

    Raises:
        TransferError: the server could not create the zip, or the socket is not connected or was disconnected.
        OSError: the zip cannot be written.
    """
    # A target that is not a regular file, such as a device, is an error before any request.
    check_target(file_for(path, "any.zip"))
    ended: dict[str, str | None] = {}
    changed = asyncio.Event()

    def watcher(events: list[Event]) -> None:
        for event in events:
            name = event.raw.get("bulk_download_item_name")
            if name is not None and "error" in event.raw:
                ended[name] = str(event.raw["error"])
            elif name is not None and event.get("name") == "bulk_download_complete":
                ended[name] = None
            changed.set()

    # The server sends the events of zips to the subscribers of the default queue.
    unwatch = await tracker.watch_queue("default", watcher)
    try:
        if not tracker.listener.is_connected:
            raise TransferError(
                "The zip cannot be downloaded: its completion is announced through the socket, which is not connected.",
                hint=_DOWNLOAD_MANY,
            )
        lost_before = tracker.listener.connection.losses
        name = (await http.send(images.start_bulk_download(image_names, board_id=board_id))).bulk_download_item_name
        deadline = time.monotonic() + _LONGEST
        while name not in ended:
            if tracker.listener.connection.losses != lost_before:
                raise TransferError(
                    "The socket was disconnected while the server created the zip, so its completion may have been "
                    "missed.",
                    hint="Call this again.",
                )
            if time.monotonic() > deadline:
                raise TransferError(
                    f"The server did not create the zip within {_LONGEST / 60:g} minutes.",
                    hint=_DOWNLOAD_MANY,
                )
            await set_within(changed, _LOOK)
            changed.clear()
    finally:
        unwatch()
    if ended[name] is not None:
        raise TransferError(f"The server could not create the zip: {ended[name]}.", hint="Check that all images exist.")
    target = file_for(path, name)
    await http.download(images.get_bulk_download(name), target)
    return target


async def download_unzipped(
    http: HttpTransport, tracker: RunTracker, folder: Path, image_names: Sequence[str], board_id: str | None
) -> list[Path]:
    """Request a zip, download it into a folder, and unpack it there.

    Raises:
        TransferError: as for `download_zip` and `unpack`.
        UnsafePathError: as for `unpack`.
        OSError: a file cannot be written.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    archive = folder / f".{secrets.token_hex(8)}.zip.part"
    try:
        await download_zip(http, tracker, archive, image_names, board_id)
        return await unpack_in_thread(archive, folder, http.settings)
    finally:
        archive.unlink(missing_ok=True)


async def unpack_in_thread(archive: Path, folder: Path, settings: Settings) -> list[Path]:
    """Call `unpack` in a thread. If the task is cancelled, this waits for the thread to end first."""
    stop = threading.Event()
    limits = ZipLimits(settings.max_zip_files, settings.max_download_bytes)
    work = asyncio.get_running_loop().run_in_executor(None, unpack, archive, folder, stop, limits)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        # Retrieves the exception, so that asyncio does not report it as unhandled.
        work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await asyncio.wait([work])
        raise


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """Limits for unpacking a zip.

    If the content has more than `ratio_matters_from` bytes, it may not be more than `ratio` times as large as the zip.
    Images are compressed already, so a larger ratio means a zip bomb, such as one whose files share their data.
    """

    files: int = MAX_ZIP_FILES
    total_bytes: int = MAX_DOWNLOAD_BYTES
    ratio: int = 200
    ratio_matters_from: int = 2**30

    def check(self, members: Sequence[zipfile.ZipInfo], packed: int) -> None:
        """Check that the members of a zip of `packed` bytes are within the limits.

        Raises:
            TransferError: they exceed a limit.
        """
        total = sum(member.file_size for member in members)
        if len(members) > self.files:
            self._refuse(f"has {len(members):,} files, more than the limit of {self.files:,}", "max_zip_files")
        if total > self.total_bytes:
            self._refuse(
                f"unpacks to {total:,} bytes, more than the limit of {self.total_bytes:,}", "max_download_bytes"
            )
        if total > self.ratio_matters_from and total > packed * self.ratio:
            raise TransferError(
                f"The zip from the server has {packed:,} bytes and would unpack to {total:,}. It was not unpacked, as "
                "images cannot be compressed that much.",
                hint=_DOWNLOAD_MANY,
            )

    def _refuse(self, what: str, setting: str) -> None:
        raise TransferError(f"The zip from the server {what}.", hint=f"Increase the setting {setting}.")


def unpack(
    archive: Path, folder: Path, stop: threading.Event | None = None, limits: ZipLimits = ZipLimits()
) -> list[Path]:
    """Unpack the images of a zip into a folder, ignoring the folders inside the zip.

    Args:
        archive: the zip.
        folder: the folder; created if it is missing.
        stop: setting this event stops the unpacking, without leaving an incomplete file.
        limits: the maximum size and number of files.

    Raises:
        UnsafePathError: a name is hidden, or leads out of the folder. Nothing was unpacked.
        TransferError: the zip is encrypted, contains a name twice or exceeds the limits, and was not unpacked; or it is
            damaged, or `stop` was set, and was unpacked in part.
    """
    try:
        # The file was just downloaded, so an OSError while opening it is due to its content.
        opened = zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, UnicodeDecodeError, OSError, NotImplementedError) as error:
        raise _broken(error) from error
    with opened:
        members = [member for member in opened.infolist() if not member.is_dir()]
        # The declared sizes can be trusted: zipfile does not unpack more of a member than it declares.
        limits.check(members, archive.stat().st_size)
        names = _names_of(members)
        for member, name in zip(members, names, strict=True):
            with whole_file(folder / name) as file:
                for piece in _pieces(opened, member):
                    if stop is not None and stop.is_set():
                        raise TransferError("The unpacking of a zip was canceled.")
                    file.write(piece)
    return [folder / name for name in names]


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content of a member in pieces.

    Raises:
        TransferError: decompression failed, so the zip is damaged.
    """
    try:
        with archive.open(member) as source:
            while piece := source.read(_CHUNK):
                yield piece
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError) as error:
        raise _broken(error) from error


def _broken(error: Exception) -> TransferError:
    return TransferError(
        f"The zip from the server cannot be unpacked: {error}.",
        hint=_DOWNLOAD_MANY,
    )


def _names_of(members: Sequence[zipfile.ZipInfo]) -> list[str]:
    """Return the file name of each member, without folders."""
    names: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        name = _name_of(member)
        # Many file systems ignore case.
        other = names.setdefault(name.casefold(), member)
        if other is not member:
            raise TransferError(
                f"The zip from the server has two files with the same name: {other.filename!r}, {member.filename!r}.",
                hint=_DOWNLOAD_MANY,
            )
        if member.flag_bits & _ENCRYPTED:
            raise TransferError(f"The zip from the server is encrypted: {member.filename!r} cannot be read.")
    return [_name_of(member) for member in members]


def _name_of(member: zipfile.ZipInfo) -> str:
    # Split by the separator of zips, so that `..` is found in any position.
    *folders, name = member.filename.split("/")
    try:
        for folder in folders:
            safe_name(folder)
        return shown_name(name)
    except UnsafePathError as error:
        raise UnsafePathError(
            f"{member.filename!r} in the zip from the server was not unpacked: the file would be hidden, or could be "
            "outside of the folder.",
            name=member.filename,
            hint=_DOWNLOAD_MANY,
        ) from error
