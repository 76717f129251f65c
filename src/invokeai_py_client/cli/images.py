"""`images`: the images of the server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli import completion
from invokeai_py_client.cli.commands import Argument, Group, named_or_on_stdin
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.output import local_time
from invokeai_py_client.cli.session import Session, with_session

if TYPE_CHECKING:
    from invokeai_py_client.blocking.generated.image import Image
    from invokeai_py_client.transfers.concurrent import TransferReport

command = Group("images", help="List, show, download, upload, star and delete the images of the server.")

_NAMES = click.argument(
    "names",
    cls=Argument,
    nargs=-1,
    required=True,
    callback=named_or_on_stdin,
    shell_complete=completion.images,
    help="The names of images, as list shows them, or - to read them from stdin, one a line.",
)


@command.command("list", example="invokeai-client images list --board tigers --limit 10")
@click.option(
    "--board",
    metavar="NAME",
    shell_complete=completion.boards,
    help="Only images on this board, by name or id; none for those on no board.",
)
@click.option("--starred", is_flag=True, help="Only starred images.")
@click.option("--search", metavar="TEXT", help="Only images whose metadata contain this text.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many to list.")
@with_session
def list_images(session: Session, board: str | None, starred: bool, search: str | None, limit: int) -> None:
    """List images, the newest first."""
    output = session.output
    listing = session.client.image_repo.list_images(board=board, starred=starred or None, search=search)
    rows = [_row(image) for image in listing.first(limit)]
    total = len(rows) if len(rows) < limit else len(listing)
    if total > len(rows):
        output.note(f"note: {len(rows)} of {total} images; --limit lists more.")
    output.done(
        {"images": rows, "total": total},
        quiet=[row["name"] for row in rows],
        human=lambda: output.table(
            ("Name", "Size", "Category", "Starred", "Created"),
            [
                (
                    row["name"],
                    f"{row['width']}x{row['height']}",
                    row["category"],
                    row["starred"],
                    local_time(row["created_at"]),
                )
                for row in rows
            ],
        ),
    )


@command.command("show", example="invokeai-client images show 71d64297.png")
@click.argument("name", cls=Argument, shell_complete=completion.images, help="The name of an image.")
@with_session
def show(session: Session, name: str) -> None:
    """Show what the server knows of an image, and how it was made."""
    output = session.output
    row = _row(session.client.image_repo.get_image(name))
    metadata = session.client.image_repo.get_metadata(name) or {}
    output.done(
        {**row, "metadata": metadata}, quiet=[row["name"]], human=lambda: output.facts({**row, **_texts(metadata)})
    )


@command.command("download", example="invokeai-client images download 71d64297.png --out out")
@_NAMES
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder to save them in; the current one if it is left out.",
)
@with_session
def download(session: Session, names: tuple[str, ...], out: Path) -> None:
    """Download images. What is there already, unchanged, is not downloaded again."""
    output = session.output
    report = session.client.image_repo.download_many(names, out)
    _raise_failures(report)
    files = [*report.done, *report.skipped]
    output.done(
        {"files": files, "skipped": len(report.skipped)},
        quiet=files,
        human=lambda: output.say("\n".join(map(str, files)) or "Nothing was named."),
    )


@command.command("upload", example="invokeai-client images upload photo.png --board tigers")
@click.argument(
    "files",
    cls=Argument,
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    help="Image files; a folder stands for the files in it.",
)
@click.option("--board", metavar="NAME", shell_complete=completion.boards, help="Board to put them on, by name or id.")
@with_session
def upload(session: Session, files: tuple[Path, ...], board: str | None) -> None:
    """Upload image files, and print the names that the server gives them."""
    output = session.output
    report = session.client.image_repo.upload_many([*_files_in(files)], board=board)
    _raise_failures(report)
    rows = [_row(image) for image in report.done]
    names = [row["name"] for row in rows]
    output.done({"images": rows}, quiet=names, human=lambda: output.say("\n".join(names)))


@command.command("star", example="invokeai-client images star 71d64297.png")
@_NAMES
@with_session
def star(session: Session, names: tuple[str, ...]) -> None:
    """Star images."""
    _done(session, "starred", session.client.image_repo.star_image(names), names)


@command.command("unstar", example="invokeai-client images unstar 71d64297.png")
@_NAMES
@with_session
def unstar(session: Session, names: tuple[str, ...]) -> None:
    """Take the stars off images."""
    _done(session, "unstarred", session.client.image_repo.unstar_image(names), names)


@command.command("delete", example="invokeai-client images delete 71d64297.png --yes")
@_NAMES
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_session
def delete(session: Session, names: tuple[str, ...], yes: bool) -> None:
    """Delete images from the server, for good."""
    session.confirm(f"Delete {len(names)} image{'' if len(names) == 1 else 's'} for good?", yes)
    _done(session, "deleted", session.client.image_repo.delete_images(names), names)


def _files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files, and for a folder those in it that are not hidden."""
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
        else:
            yield path


def _done(session: Session, what: str, changed: list[str], names: tuple[str, ...]) -> None:
    missing = [name for name in dict.fromkeys(names) if name not in changed]
    if missing:
        others = f" and {len(missing) - 1} of the others" if missing[1:] else ""
        raise Failure(
            "not_found",
            f"The server does not have the image {missing[0]!r}{others}.",
            f"{len(changed)} of {len({*names})} were {what}.",
            {what: changed, "missing": missing},
        )
    session.output.done(
        {what: changed},
        quiet=changed,
        human=lambda: session.output.say("\n".join(f"{what} {one}" for one in changed) or "Nothing was named."),
    )


def _raise_failures(report: TransferReport[Any]) -> None:
    """Raise the failure of a transfer: that of the only file, or one that lists all.

    Raises:
        Failure: several failed.
        InvokeAIError, OSError: the only one failed.
    """
    if len(report.failed) == 1 and not (report.done or report.skipped):
        raise report.failed[0].error
    if report.failed:
        failed = [{"name": one.name, "why": str(one.error)} for one in report.failed]
        raise Failure(
            "transfer_failed",
            f"{len(failed)} of {len(failed) + len(report.done) + len(report.skipped)} failed; the first is "
            f"{failed[0]['name']}: {failed[0]['why']}",
            "Run the command again for those that failed.",
            {"failed": failed, "done": [str(one) for one in report.done]},
        )


def _row(image: Image) -> dict[str, Any]:
    return {
        "name": image.name,
        "width": image.width,
        "height": image.height,
        "category": image.image_category,
        "starred": image.starred,
        "board_id": image.board_id,
        "created_at": image.created_at,
    }


def _texts(metadata: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if isinstance(value, str | int | float)}
