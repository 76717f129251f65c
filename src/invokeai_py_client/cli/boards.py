"""`boards`: the boards of the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli import completion
from invokeai_py_client.cli.commands import Argument, Group
from invokeai_py_client.cli.output import printable
from invokeai_py_client.cli.session import Session, with_session

if TYPE_CHECKING:
    from invokeai_py_client.wire.records.boards import BoardRecord

command = Group("boards", help="List, show, create and delete the boards of the server.")

_BOARD = click.argument("board", cls=Argument, shell_complete=completion.boards, help="The name or id of a board.")


@command.command("list", example="invokeai-client boards list")
@with_session
def list_boards(session: Session) -> None:
    """List the boards."""
    output = session.output
    rows = [_row(board) for board in session.client.board_repo.list_boards()]
    output.done(
        {"boards": rows},
        quiet=[row["id"] for row in rows],
        human=lambda: output.table(
            ("Name", "Images", "Assets", "Archived", "Id"),
            [(row["name"], row["images"], row["assets"], row["archived"], row["id"]) for row in rows],
        ),
    )


@command.command("show", example="invokeai-client boards show tigers")
@_BOARD
@with_session
def show(session: Session, board: str) -> None:
    """Show a board, by name or id."""
    row = _row(session.client.board_repo.get_board_handle(board).record)
    session.output.done(row, quiet=[row["id"]], human=lambda: session.output.facts(row))


@command.command("create", example="invokeai-client boards create tigers")
@click.argument("name", cls=Argument, help="The name of the new board.")
@with_session
def create(session: Session, name: str) -> None:
    """Create a board."""
    row = _row(session.client.board_repo.create_board(name).record)
    session.output.done(row, quiet=[row["id"]], human=lambda: session.output.facts(row))


@command.command("delete", example="invokeai-client boards delete tigers --yes")
@_BOARD
@click.option("--with-images", is_flag=True, help="Delete its images, too; else they stay, on no board.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_session
def delete(session: Session, board: str, with_images: bool, yes: bool) -> None:
    """Delete a board, by name or id."""
    row = _row(session.client.board_repo.get_board_handle(board).record)
    session.confirm(f"Delete the board {row['name']!r}{' and its images' if with_images else ''} for good?", yes)
    session.client.board_repo.delete_board(row["id"], with_images)
    session.output.done(
        {"deleted": row}, quiet=[row["id"]], human=lambda: session.output.say(f"deleted {printable(row['name'])}")
    )


def _row(board: BoardRecord) -> dict[str, Any]:
    return {
        "id": board.board_id,
        "name": board.board_name,
        "images": board.image_count,
        "assets": board.asset_count,
        "archived": board.archived,
    }
