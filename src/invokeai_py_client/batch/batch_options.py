"""The options of a batch."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from invokeai_py_client.batch.file_names import DEFAULT_TEMPLATE
from invokeai_py_client.errors import UnsafePathError
from invokeai_py_client.live.priority import Priority
from invokeai_py_client.option_checks import at_least_one, unusable
from invokeai_py_client.wire.call import api_path

WhichImages = Literal["outputs", "all", "none"]
"""The images of a row to download: those of output nodes, those of intermediate nodes as well, or none."""

WINDOW = 1000
"""The default for the maximum number of items of a batch in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """The options of a batch; see `AsyncPlan.submit`."""

    queue_id: str = "default"
    priority: Priority = Priority.NORMAL
    window: int = WINDOW
    images: WhichImages = "outputs"
    file_name: str = DEFAULT_TEMPLATE
    stop_after_failures: int | None = None
    report: bool = False

    def checked(self) -> BatchOptions:
        """Return the options, validated and with the priority as a `Priority`.

        Raises:
            SettingsError: an option has an invalid value.
        """
        if not _is_name(self.queue_id):
            raise unusable("queue_id", self.queue_id, "the name of a queue, such as 'default'")
        if self.images not in get_args(WhichImages):
            raise unusable("images", self.images, "'outputs', 'all' or 'none'")
        most = self.stop_after_failures
        return replace(
            self,
            priority=Priority.of(self.priority),
            window=at_least_one("window", self.window),
            stop_after_failures=None if most is None else at_least_one("stop_after_failures", most),
        )

    def saved(self) -> dict[str, Any]:
        """Return the options as plain JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def _is_name(value: object) -> bool:
    """Return whether a value can be a queue id in the path of a request."""
    try:
        return isinstance(value, str) and bool(api_path("queue", value))
    except UnsafePathError:
        return False
