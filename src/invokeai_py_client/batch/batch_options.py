"""The options of a batch."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from invokeai_py_client.batch.file_names import DEFAULT_TEMPLATE
from invokeai_py_client.errors import SettingsError, UnsafePathError
from invokeai_py_client.live.priority import Priority
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
            raise _unusable("queue_id", self.queue_id, "the name of a queue, such as 'default'")
        for name, least in (("window", self.window), ("stop_after_failures", self.stop_after_failures)):
            if least is not None and (type(least) is not int or least < 1):
                raise _unusable(name, least, "an integer of at least 1")
        if self.images not in get_args(WhichImages):
            raise _unusable("images", self.images, "'outputs', 'all' or 'none'")
        return replace(self, priority=Priority.of(self.priority))

    def saved(self) -> dict[str, Any]:
        """Return the options as plain JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def _is_name(value: object) -> bool:
    """Return whether a value can be a queue id in the path of a request."""
    try:
        return isinstance(value, str) and bool(api_path("queue", value))
    except UnsafePathError:
        return False


def _unusable(name: str, value: object, wanted: str) -> SettingsError:
    return SettingsError(f"`{name}` must be {wanted}, got {value!r}.", setting=name, hint="Nothing was submitted.")
