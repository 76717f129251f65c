"""`jobs`: what was submitted, by this program or any other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from invokeai_py_client.cli import completion, watch
from invokeai_py_client.cli.commands import Group, named_or_on_stdin
from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.output import counted, local_time
from invokeai_py_client.cli.queue_argument import UNFINISHED, queue_option
from invokeai_py_client.cli.session import Session, with_session

if TYPE_CHECKING:
    from invokeai_py_client.blocking.generated.run import Run

command = Group(
    "jobs",
    help="List or watch what was submitted, by whatever program; wait for it, cancel it, or run it again.\n\n"
    "A job is a batch, which has an item for each run. Where jobs are taken, give ids of batches or of items, or - to "
    "read them from stdin, one a line.",
)

command.add_command(watch.command)

_IDS = click.argument("ids", nargs=-1, required=True, callback=named_or_on_stdin, shell_complete=completion.jobs)
_QUEUE = queue_option()


@command.command("list", example="invokeai-client jobs list --limit 5")
@_QUEUE
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many to list.")
@with_session
def list_jobs(session: Session, queue_id: str, limit: int) -> None:
    """List the jobs of the queue, the newest first."""
    output = session.output
    rows: dict[str, dict[str, Any]] = {}
    statuses: dict[str, Counter[str]] = {}
    for item in session.client.queue_repo.get_queue(queue_id).list_items():
        if item.batch_id not in rows:
            if len(rows) == limit:
                break
            rows[item.batch_id] = {"batch_id": item.batch_id, "origin": item.origin, "destination": item.destination}
            statuses[item.batch_id] = Counter()
        rows[item.batch_id]["created_at"] = item.created_at
        statuses[item.batch_id][item.status] += 1
    jobs = [{**row, "items": dict(statuses[batch_id])} for batch_id, row in rows.items()]
    output.done(
        {"jobs": jobs},
        quiet=rows,
        human=lambda: output.table(
            ("Batch", "Items", "Created", "Destination"),
            [
                (job["batch_id"], counted(job["items"]), local_time(job["created_at"]), job["destination"])
                for job in jobs
            ],
        ),
    )


@command.command("show", example="invokeai-client jobs show 5f9c1d3e-77aa-4b0c-9c5e-2f1f3a9b7d10")
@click.argument("job", shell_complete=completion.jobs)
@_QUEUE
@with_session
def show(session: Session, job: str, queue_id: str) -> None:
    """Show a job: its progress, its items with their errors, and its images."""
    output = session.output
    if job == "-":
        raise Failure("usage", "The command jobs show takes one job.", "Give the id of a batch or of an item.")
    (run,) = _runs(session, [job], queue_id)
    facts = _facts(run)
    images = [image.name for image in run.images]
    items = [
        {"item_id": item.item_id, "status": item.status, "error_type": item.error_type, "error": item.error_message}
        for item in session.client.queue_repo.get_queue(queue_id).get_items_by_ids(run.item_ids)
    ]

    def human() -> None:
        output.facts({**facts, "items": len(items), "images": " ".join(images) or "-"})
        output.table(("Item", "Status", "Error"), [(item["item_id"], item["status"], item["error"]) for item in items])

    output.done({**facts, "items": items, "images": images}, quiet=images, human=human)


@command.command("wait", example="invokeai-client jobs wait 5f9c1d3e-77aa-4b0c-9c5e-2f1f3a9b7d10 --timeout 600")
@_IDS
@_QUEUE
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds to wait for each; they go on.")
@with_session
def wait(session: Session, ids: tuple[str, ...], queue_id: str, timeout: float | None) -> None:
    """Wait until jobs have ended. The exit code is 1 if one of them has not completed."""
    from invokeai_py_client.errors import RunTimeout

    output = session.output
    runs = _runs(session, ids, queue_id)
    for run in runs:
        try:
            run.wait(timeout)
        except RunTimeout as error:
            message = f"Job {run.batch_id} is still {run.status} after {timeout:g} s ({run.progress:.0f} %)."
            facts = {"batch_id": run.batch_id, "item_ids": [*run.item_ids]}
            raise Failure("timeout", message, "It goes on. Wait again, or cancel it: jobs cancel.", facts) from error
        if output.is_human:
            output.say(f"{run.batch_id}  {run.status}")
    jobs = [_facts(run) for run in runs]
    bad = [job for job in jobs if job["status"] != "completed"]
    if bad:
        raise Failure(
            "run_canceled" if all(job["status"] == "canceled" for job in bad) else "run_failed",
            f"{len(bad)} of {len(jobs)} jobs have not completed: {bad[0]['batch_id']} is {bad[0]['status']}.",
            "The command jobs show shows the errors of a job.",
            {"jobs": jobs},
        )
    output.done({"jobs": jobs}, quiet=[job["batch_id"] for job in jobs])


@command.command("cancel", example="invokeai-client jobs cancel 5f9c1d3e-77aa-4b0c-9c5e-2f1f3a9b7d10")
@_IDS
@_QUEUE
@with_session
def cancel(session: Session, ids: tuple[str, ...], queue_id: str) -> None:
    """Cancel what has not ended of jobs. What has ended stays as it is."""
    output = session.output
    runs = _runs(session, ids, queue_id)
    for run in runs:
        if run.status in UNFINISHED:
            run.cancel()
            run.wait()
    jobs = [_facts(run) for run in runs]
    output.done(
        {"jobs": jobs},
        quiet=[job["batch_id"] for job in jobs],
        human=lambda: output.say("\n".join(f"{job['batch_id']}  {job['status']}" for job in jobs)),
    )


@command.command("retry", example="invokeai-client jobs retry 5f9c1d3e-77aa-4b0c-9c5e-2f1f3a9b7d10")
@_IDS
@_QUEUE
@with_session
def retry(session: Session, ids: tuple[str, ...], queue_id: str) -> None:
    """Run again what has failed or was canceled of jobs, as new items of the same batches, and print their ids.

    What was run again before counts by its last item.
    """
    output = session.output
    queue = session.client.queue_repo.get_queue(queue_id)
    runs = _runs(session, ids, queue_id)
    items = queue.get_items_by_ids([item_id for run in runs for item_id in run.item_ids])
    was_retried = {item.retried_from_item_id for item in items}
    ended = [item.item_id for item in items if item.status in ("failed", "canceled")]
    retried = queue.retry([item_id for item_id in ended if item_id not in was_retried])
    new: list[int] = []
    if retried:
        batches = {run.batch_id for run in runs}
        for item in queue.list_items():
            if item.item_id <= max(retried) or len(new) == len(retried):
                break
            if item.batch_id in batches:
                new.append(item.item_id)
    new.sort()
    output.done(
        {"retried": retried, "item_ids": new},
        quiet=new,
        human=lambda: output.say("\n".join(map(str, new)) if new else "Nothing has failed or was canceled."),
    )


def _runs(session: Session, ids: Sequence[str], queue_id: str) -> list[Run]:
    """Find jobs, in the order in which they are named.

    Raises:
        Failure: the queue does not have one of the batches.
        NotFoundError: the queue does not have one of the items.
    """
    batches = [name for name in ids if not _is_item_id(name)]
    found: dict[str, Run] = session.client.runs(batches, queue_id=queue_id) if batches else {}
    missing = [name for name in batches if name not in found]
    if missing:
        raise Failure(
            "not_found",
            f"The queue {queue_id!r} has no batch {missing[0]!r} (any more).",
            "The command jobs list lists those that it has.",
            {"missing": missing},
        )
    client = session.client
    return [client.run(int(name), queue_id=queue_id) if _is_item_id(name) else found[name] for name in ids]


def _is_item_id(name: str) -> bool:
    # The server fails at longer ones.
    return name.isdecimal() and len(name) <= 18


def _facts(run: Run) -> dict[str, Any]:
    return {
        "batch_id": run.batch_id,
        "item_ids": [*run.item_ids],
        "status": run.status,
        "progress": round(run.progress, 1),
    }
