"""Groups the failed rows of a batch by the reason of the failure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from invokeai_py_client.batch.manifest import BatchRow

_VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}(\.\w+)?|'[^']*'|\"[^\"]*\"|\S*[/\\]\S*|\b\d+(\.\d+)?\b", re.IGNORECASE
)
"""The parts of an error that differ between rows that fail for the same reason: ids, names, paths and numbers."""


@dataclass(frozen=True, slots=True)
class BatchFailures:
    """Rows that failed for the same reason.

    Attributes:
        kind: the reason, without the ids, names and numbers that differ between rows.
        rows: the rows.

    Example:
        >>> print(*batch.failures(), sep="; ")
        37 rows: OutOfMemoryError: CUDA out of memory; 2 rows: image not found
    """

    kind: str
    rows: tuple[BatchRow, ...]

    def __str__(self) -> str:
        return f"{len(self.rows)} row{'s' if len(self.rows) > 1 else ''}: {self.kind}"


def by_reason(failed: Iterable[BatchRow]) -> list[BatchFailures]:
    """Return failed rows grouped by reason, most frequent first."""
    groups: dict[str, list[BatchRow]] = {}
    for row in failed:
        groups.setdefault(_kind(row.error or ""), []).append(row)
    found = [BatchFailures(kind, tuple(rows)) for kind, rows in groups.items()]
    return sorted(found, key=lambda group: len(group.rows), reverse=True)


def _kind(error: str) -> str:
    """Return an error without the parts that differ between rows that fail for the same reason."""
    sentence = re.split(r"(?<=[a-z)])[.:] (?=[A-Z])", error, maxsplit=2)
    return _VARYING.sub("…", ": ".join(sentence[:2])).strip(" .:…") or "unknown"
