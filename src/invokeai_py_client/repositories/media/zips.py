"""Zips of images, which the server makes in the background: an event tells when one can be fetched."""

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
"""Seconds that the server may take to make a zip."""

_CHUNK = 2**20

_DOWNLOAD_MANY = "Download the images themselves, with download_many."

_ENCRYPTED = 1

_LOOK = 1.0
"""Seconds after which it is seen whether the socket has been there all the time."""


async def download_zip(
    http: HttpTransport,
    tracker: RunTracker,
    path: str | os.PathLike[str],
    image_names: Sequence[str],
    board_id: str | None,
) -> Path:
    """Have a zip made, wait for it, and download it. Fetching it earlier would get, and delete, a part of it.

    Raises:
        TransferError: the server could not make it, or there is no socket, or it was lost meanwhile.
        OSError: it cannot be written.
    """
    # What is there and is not a file, such as a device, is told before anything is asked.
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

    # Its events are sent to the subscribers of the default queue.
    unwatch = await tracker.watch_queue("default", watcher)
    try:
        if not tracker.listener.is_connected:
            raise TransferError(
                "A zip of images cannot be had: the server tells through its socket when it is made, and that is down.",
                hint=_DOWNLOAD_MANY,
            )
        lost_before = tracker.listener.connection.losses
        name = (await http.send(images.start_bulk_download(image_names, board_id=board_id))).bulk_download_item_name
        deadline = time.monotonic() + _LONGEST
        while name not in ended:
            if tracker.listener.connection.losses != lost_before:
                raise TransferError(
                    "The socket was lost while the server made the zip: it may have told meanwhile that it is made.",
                    hint="Ask for it again.",
                )
            if time.monotonic() > deadline:
                raise TransferError(
                    f"The server did not make the zip within {_LONGEST / 60:g} minutes.",
                    hint=_DOWNLOAD_MANY,
                )
            await set_within(changed, _LOOK)
            changed.clear()
    finally:
        unwatch()
    if ended[name] is not None:
        raise TransferError(f"The server could not make the zip: {ended[name]}.", hint="Are all those images there?")
    target = file_for(path, name)
    await http.download(images.get_bulk_download(name), target)
    return target


async def download_unzipped(
    http: HttpTransport, tracker: RunTracker, folder: Path, image_names: Sequence[str], board_id: str | None
) -> list[Path]:
    """Have a zip made, download it into a folder, and unpack it there.

    Raises:
        TransferError, UnsafePathError: as `download_zip` and `unpack`.
        OSError: it cannot be written.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    archive = folder / f".{secrets.token_hex(8)}.zip.part"
    try:
        await download_zip(http, tracker, archive, image_names, board_id)
        return await unpack_in_thread(archive, folder, http.settings)
    finally:
        archive.unlink(missing_ok=True)


async def unpack_in_thread(archive: Path, folder: Path, settings: Settings) -> list[Path]:
    """Call `unpack` in a thread. If this is cancelled, it ends when the thread has ended."""
    stop = threading.Event()
    limits = ZipLimits(settings.max_zip_files, settings.max_download_bytes)
    work = asyncio.get_running_loop().run_in_executor(None, unpack, archive, folder, stop, limits)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        # What it raises at last is of no interest any more, but would be reported if nobody looked at it.
        work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        await asyncio.wait([work])
        raise


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """What a zip may unpack to.

    Above `ratio_matters_from` bytes it may not be more than `ratio` times as large as the zip: images are compressed
    already, and files in a zip that share their data give themselves away so.
    """

    files: int = MAX_ZIP_FILES
    total_bytes: int = MAX_DOWNLOAD_BYTES
    ratio: int = 200
    ratio_matters_from: int = 2**30

    def check(self, members: Sequence[zipfile.ZipInfo], packed: int) -> None:
        """See that the members of a zip of `packed` bytes are within the limits.

        Raises:
            TransferError: they are not.
        """
        total = sum(member.file_size for member in members)
        if len(members) > self.files:
            self._refuse(f"has {len(members):,} files, and at most {self.files:,} are unpacked", "max_zip_files")
        if total > self.total_bytes:
            self._refuse(f"unpacks to {total:,} bytes, and at most {self.total_bytes:,} are", "max_download_bytes")
        if total > self.ratio_matters_from and total > packed * self.ratio:
            raise TransferError(
                f"The zip that the server made has {packed:,} bytes and would unpack to {total:,}: it is not unpacked, "
                "as no zip of images is compressed like that.",
                hint=_DOWNLOAD_MANY,
            )

    def _refuse(self, what: str, setting: str) -> None:
        raise TransferError(f"The zip that the server made {what}.", hint=f"Raise the setting {setting}.")


def unpack(
    archive: Path, folder: Path, stop: threading.Event | None = None, limits: ZipLimits = ZipLimits()
) -> list[Path]:
    """Unpack the images of a zip into a folder, whatever folders the zip has.

    Args:
        archive: the zip.
        folder: it is made if it is missing.
        stop: once it is set, no more is unpacked, and no half file is left.
        limits: what it may unpack to.

    Raises:
        UnsafePathError: a name would lead out of the folder, or is hidden; nothing is unpacked then.
        TransferError: the zip is broken, encrypted, has a name twice or is above the limits; nothing is unpacked
            unless it is broken. Or it was to stop.
    """
    try:
        # It was written a moment ago: what keeps it from being opened is in it.
        opened = zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, UnicodeDecodeError, OSError, NotImplementedError) as error:
        raise _broken(error) from error
    with opened:
        members = [member for member in opened.infolist() if not member.is_dir()]
        # zipfile unpacks no more of a member than it declares.
        limits.check(members, archive.stat().st_size)
        names = _names_of(members)
        for member, name in zip(members, names, strict=True):
            with whole_file(folder / name) as file:
                for piece in _pieces(opened, member):
                    if stop is not None and stop.is_set():
                        raise TransferError("The unpacking of a zip was cancelled.")
                    file.write(piece)
    return [folder / name for name in names]


def _pieces(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """What is in a member. What its decompression raises is an error of the zip, not of this machine's disk."""
    try:
        with archive.open(member) as source:
            while piece := source.read(_CHUNK):
                yield piece
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError) as error:
        raise _broken(error) from error


def _broken(error: Exception) -> TransferError:
    return TransferError(
        f"The zip that the server made cannot be unpacked: {error}.",
        hint=_DOWNLOAD_MANY,
    )


def _names_of(members: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The file name of each member, whatever folders it is in."""
    names: dict[str, zipfile.ZipInfo] = {}
    for member in members:
        name = _name_of(member)
        # Many file systems take two names that differ in case for one.
        other = names.setdefault(name.casefold(), member)
        if other is not member:
            raise TransferError(
                f"The zip that the server made has two files of one name: {other.filename!r} and {member.filename!r}.",
                hint=_DOWNLOAD_MANY,
            )
        if member.flag_bits & _ENCRYPTED:
            raise TransferError(f"The zip that the server made is encrypted: {member.filename!r} cannot be read.")
    return [_name_of(member) for member in members]


def _name_of(member: zipfile.ZipInfo) -> str:
    # Taken apart by its own separators, so that `..` is seen wherever it stands.
    *folders, name = member.filename.split("/")
    try:
        for folder in folders:
            safe_name(folder)
        return shown_name(name)
    except UnsafePathError as error:
        raise UnsafePathError(
            f"{member.filename!r}, a file of the zip that the server made, is not unpacked: it would be hidden, or "
            "could lead out of its folder.",
            name=member.filename,
            hint=_DOWNLOAD_MANY,
        ) from error
