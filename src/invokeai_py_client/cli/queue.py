"""`queue`: what waits and runs on the server."""

from __future__ import annotations

from itertools import islice
from typing import Any

import click

from invokeai_py_client.cli import completion
from invokeai_py_client.cli.commands import Argument, Group
from invokeai_py_client.cli.output import local_time
from invokeai_py_client.cli.queue_argument import STATUSES, queue_option
from invokeai_py_client.cli.session import Session, with_session

command = Group("queue", help="Look at the queue, and pause, resume or clear it.")

_QUEUE = queue_option()


@command.command("status", example="invokeai-client queue status")
@_QUEUE
@with_session
def status(session: Session, queue_id: str) -> None:
    """Show how many items are in which state, and whether they are processed."""
    found = session.client.queue_repo.get_queue(queue_id).get_status()
    facts: dict[str, Any] = {
        "queue": queue_id,
        **{name: getattr(found.queue, name) for name in STATUSES},
        "is_paused": not found.processor.is_started,
        "is_processing": found.processor.is_processing,
        "item_id": found.queue.item_id,
    }
    session.output.done(
        facts, quiet=[found.queue.pending + found.queue.in_progress], human=lambda: session.output.facts(facts)
    )


@command.command("list", example="invokeai-client queue list --status failed")
@_QUEUE
@click.option("--status", "wanted", type=click.Choice(STATUSES), help="Only items with this status.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many to list.")
@with_session
def list_items(session: Session, queue_id: str, wanted: str | None, limit: int) -> None:
    """List items of the queue, the newest first."""
    output = session.output
    items = session.client.queue_repo.get_queue(queue_id).list_items()
    fitting = items.first(limit) if wanted is None else (item for item in items if item.status == wanted)
    rows = [
        {
            "item_id": item.item_id,
            "status": item.status,
            "batch_id": item.batch_id,
            "created_at": item.get("created_at"),
            "completed_at": item.get("completed_at"),
        }
        for item in islice(fitting, limit)
    ]
    output.done(
        {"items": rows},
        quiet=[row["item_id"] for row in rows],
        human=lambda: output.table(
            ("Item", "Status", "Batch", "Created", "Completed"),
            [
                (
                    row["item_id"],
                    row["status"],
                    row["batch_id"],
                    local_time(row["created_at"]),
                    local_time(row["completed_at"]),
                )
                for row in rows
            ],
        ),
    )


@command.command("position", example="invokeai-client queue position 318")
@click.argument("item_id", cls=Argument, type=int, shell_complete=completion.items, help="The id of a queue item.")
@_QUEUE
@with_session
def position(session: Session, item_id: int, queue_id: str) -> None:
    """Show where an item is in the queue, and in about how many seconds it begins."""
    found = dict(session.client.queue_repo.get_queue(queue_id).get_position(item_id))
    session.output.done(found, quiet=[found["position"]], human=lambda: session.output.facts(found))


@command.command("pause", example="invokeai-client queue pause")
@_QUEUE
@with_session
def pause(session: Session, queue_id: str) -> None:
    """Begin no more items; the one that runs goes on."""
    session.client.queue_repo.get_queue(queue_id).pause()
    session.output.done({"is_paused": True}, human=lambda: session.output.say("paused"))


@command.command("resume", example="invokeai-client queue resume")
@_QUEUE
@with_session
def resume(session: Session, queue_id: str) -> None:
    """Go on with the pending items."""
    session.client.queue_repo.get_queue(queue_id).resume()
    session.output.done({"is_paused": False}, human=lambda: session.output.say("resumed"))


@command.command("clear", example="invokeai-client queue clear --yes")
@_QUEUE
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_session
def clear(session: Session, queue_id: str, yes: bool) -> None:
    """Delete all items of the queue, those of other programs too, and cancel what runs."""
    queue = session.client.queue_repo.get_queue(queue_id)
    total = queue.get_status().queue.total
    session.confirm(f"Delete all {total} items of the queue {queue_id!r}?", yes)
    deleted = queue.clear().deleted
    session.output.done(
        {"deleted": deleted}, quiet=[deleted], human=lambda: session.output.say(f"deleted {deleted} items")
    )
