"""Zips of images, which the server makes in the background: an event tells when one can be fetched."""

from __future__ import annotations

import asyncio
import time
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from invokeai_py_client.errors import TransferError
from invokeai_py_client.files import safe_name, whole_file
from invokeai_py_client.live.following import Following
from invokeai_py_client.runtime.waiting import set_within
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import images
from invokeai_py_client.wire.events import Event

_LONGEST = 3600.0
"""Seconds that the server may take to make a zip."""

_LOOK = 1.0
"""Seconds after which it is seen whether the socket has been there all the time."""


async def download_zip(
    http: HttpTransport, following: Following, path: Path, image_names: Sequence[str], board_id: str | None
) -> Path:
    """Have a zip made, wait for it, and download it. Fetching it earlier would get, and delete, a part of it.

    Raises:
        TransferError: the server could not make it, or there is no socket, or it was lost meanwhile.
    """
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

    # Its events come to whoever listens to the default queue.
    unwatch = await following.watch_queue("default", watcher)
    try:
        if not following.is_listening:
            raise TransferError(
                "A zip of images cannot be had: the server tells through its socket when it is made, and that is down.",
                hint="Download the images themselves, with download_many.",
            )
        lost_before = following.connection.losses
        name = (await http.send(images.start_bulk_download(image_names, board_id=board_id))).bulk_download_item_name
        deadline = time.monotonic() + _LONGEST
        while name not in ended:
            if following.connection.losses != lost_before:
                raise TransferError(
                    "The socket was lost while the server made the zip: it may have told meanwhile that it is made.",
                    hint="Ask for it again.",
                )
            if time.monotonic() > deadline:
                raise TransferError(
                    f"The server did not make the zip within {_LONGEST / 60:g} minutes.",
                    hint="Download the images themselves, with download_many.",
                )
            await set_within(changed, _LOOK)
            changed.clear()
    finally:
        unwatch()
    if ended[name] is not None:
        raise TransferError(f"The server could not make the zip: {ended[name]}.", hint="Are all those images there?")
    await http.download(images.get_bulk_download(name), path)
    return path


def unpack(archive: Path, folder: Path) -> list[Path]:
    """Unpack the images of a zip into a folder, whatever folders the zip has.

    Raises:
        UnsafePathError: a name would lead out of the folder; nothing is unpacked then.
        TransferError: the zip is broken.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            # Taken apart by its own separators, so that `..` is seen wherever it stands.
            names = [[safe_name(part) for part in member.filename.split("/")][-1] for member in members]
            for member, name in zip(members, names, strict=True):
                with opened.open(member) as source, whole_file(folder / name) as file:
                    while chunk := source.read(1 << 20):
                        file.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise TransferError(f"The zip that the server made cannot be unpacked: {error}.") from error
    return [folder / name for name in names]
