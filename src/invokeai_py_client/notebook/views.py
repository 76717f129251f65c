"""The notebook views of a run, a batch, a plan, and the inputs of a workflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from invokeai_py_client.notebook.elements import Html, Picture, bar, element, joined, pictures, shortened, table

MOST_PICTURES = 12
"""The maximum number of images in a view."""

_LETTERS = 200
_DOT = " · "


def run_view(
    item: Mapping[str, object],
    *,
    items: int = 1,
    message: str = "",
    shown: Sequence[Picture] = (),
    note: str = "",
) -> Html:
    """Return the view of a run: its progress, current activity, error and images.

    Args:
        item: the run as a queue item, with the keys of a `QueueItem`.
        items: the number of queue items.
        message: the current activity.
        shown: the images, or a preview.
        note: the last line.
    """
    status, progress = str(item["status"]), float(str(item["progress_percentage"]))
    facts = [*([f"{items} items"] if items > 1 else []), status.replace("_", " ")]
    if status == "in_progress":
        facts += [f"{progress:.0f} %", *([shortened(message, _LETTERS)] if message else [])]
        facts += [f"step {item['current_step']} of {item['total_steps']}"] if item["total_steps"] else []
    seconds = _seconds_between(item["started_at"], item["completed_at"])
    if seconds is not None:
        facts.append(duration(seconds))
    return _view(
        bar({status: progress if status == "in_progress" else 0 if status == "pending" else 100}, _DOT.join(facts)),
        _DOT.join(facts),
        _error(item) if status == "failed" else "",
        pictures(shown[:MOST_PICTURES]),
        _note(note),
    )


def _error(item: Mapping[str, object]) -> Html:
    where = f" in {item['error_node_type']} ({item['error_node_id']})" if item["error_node_id"] else ""
    error = element("div", shortened(item["error"] or "the server gave no reason", 1000), where)
    if not item["error_traceback"]:
        return error
    style = "white-space:pre-wrap;font-size:85%;max-height:20em;overflow:auto"
    traceback = element("pre", item["error_traceback"], style=style)
    return joined([error, element("details", element("summary", "the server's traceback"), traceback)])


def batch_view(
    counts: Mapping[str, int],
    *,
    progress: float,
    eta: float | None,
    failures: Sequence[tuple[str, int]] = (),
    shown: Sequence[Picture] = (),
    note: str = "",
) -> Html:
    """Return the view of a batch: its progress, the number of rows by status, reasons of failures, and some images.

    Args:
        counts: the number of rows by status.
        progress: the progress in percent, 0..100.
        eta: the estimated time left, in seconds; None if it is unknown.
        failures: the reasons of failures, each with the number of rows.
        shown: images of the batch.
        note: the last line.
    """
    total = sum(counts.values())
    facts = [f"{progress:.0f} % of {total} rows"]
    facts += [f"{count} {status.replace('_', ' ')}" for status, count in counts.items() if count]
    facts += [f"about {duration(eta)} left"] if eta else []
    ended = {
        status: 100 * counts.get(status, 0) / total if total else 0.0
        for status in ("completed", "failed", "canceled", "invalid")
    }
    running = max(0.0, progress - sum(ended.values()))
    return _view(
        bar({**ended, "in_progress": running}, _DOT.join(facts)),
        _DOT.join(facts),
        table(["failed", "because"], [(count, shortened(kind, _LETTERS)) for kind, count in failures])
        if failures
        else "",
        pictures(shown[:MOST_PICTURES]),
        _note(note),
    )


def plan_view(
    title: str,
    summary: str,
    *,
    axes: Iterable[tuple[str, int, Sequence[str]]],
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    total: int,
    problems: Sequence[str] = (),
) -> Html:
    """Return the view of a plan: its axes, the first rows, and the reasons why rows cannot run.

    Args:
        title: the name of the workflow.
        summary: the number of rows, and the cost of running them.
        axes: the name, the number of values and the first values of each axis.
        columns: the headings of `rows`.
        rows: the first rows.
        total: the number of rows.
        problems: the reasons why some rows cannot run.
    """
    varied = [
        (name, f"{_DOT.join(shortened(value, 40) for value in values)}{_more(count, len(values))}")
        for name, count, values in axes
    ]
    cells = [[shortened(cell, _LETTERS) for cell in row] for row in rows]
    return _view(
        element("strong", title),
        summary,
        table(["varies", "values"], varied) if varied else "",
        element(
            "details",
            element("summary", f"the first {len(rows)} of {total} rows" if total > len(rows) else "the rows"),
            table(columns, cells),
        ),
        element("ul", *(element("li", shortened(problem, _LETTERS)) for problem in problems)) if problems else "",
    )


def _more(count: int, shown: int) -> str:
    return f"{_DOT}{count - shown} more" if count > shown else ""


def inputs_view(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """Return the inputs of a workflow as a table."""
    cells = ([shortened(cell, _LETTERS) for cell in row] for row in rows)
    return _view(element("strong", title) if title else "", table(headings, cells))


def _view(*lines: Html | str) -> Html:
    return element("div", *(element("div", line) for line in lines if line), style="max-width:60em;overflow-x:auto")


def _note(text: str) -> Html:
    return element("em", text) if text else Html("")


def duration(seconds: float) -> str:
    """Format a duration for people, such as `4.2 s` or `3 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _seconds_between(start: object, end: object) -> float | None:
    """Return the seconds between two timestamps of the server; None if one is missing or cannot be parsed."""
    try:
        return (datetime.fromisoformat(str(end)) - datetime.fromisoformat(str(start))).total_seconds()
    except (TypeError, ValueError):
        return None
