"""Warns when something secret leaves on a line that anybody may listen to."""

from __future__ import annotations

import sys
import warnings

from invokeai_py_client.settings import Settings

_PACKAGE = __name__.split(".", 1)[0]


class OpenLine:
    """Warns once of plain http to another machine, as of the line that made the client.

    The warning is given on the client's own thread, whose stack knows nothing of who has called.

    Args:
        settings: where the server is.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.url
        self.is_watched = settings.is_open
        self._place = _caller() if self.is_watched else ("", 0)

    def warn(self) -> None:
        """Something secret is about to leave."""
        if self.is_watched:
            self.is_watched = False
            filename, line = self._place
            warnings.warn_explicit(
                f"{self._url} is not encrypted: whoever listens on the way can read the token or password.",
                UserWarning,
                filename,
                line,
            )


def _caller() -> tuple[str, int]:
    """The file and line that have called into this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".", 1)[0] == _PACKAGE:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
