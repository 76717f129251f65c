"""The option `--queue`, and the states that an item of a queue can be in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

STATUSES = ("pending", "in_progress", "waiting", "completed", "failed", "canceled")
UNFINISHED = ("pending", "in_progress", "waiting")


def queue_option(text: str = "The queue.") -> Callable[[F], F]:
    """Return the option `--queue`, which a command gets as `queue_id`.

    Args:
        text: its help text.
    """
    return click.option("--queue", "queue_id", default="default", show_default=True, metavar="ID", help=text)
