"""The warning that a token or password is sent over an unencrypted connection to another machine."""

from __future__ import annotations

import sys
import warnings

from invokeai_py_client.settings import Settings

_PACKAGE = __name__.partition(".")[0]


class PlaintextWarning:
    """Warn once about plain HTTP to another machine, at the line that made the client.

    The line is remembered when the client is made, because the warning is given on the engine's thread, whose stack
    does not contain the user's code.

    Args:
        settings: the settings with the URL of the server.

    Attributes:
        is_pending: whether the connection is unencrypted and the warning has not been given.
    """

    def __init__(self, settings: Settings) -> None:
        self._url = settings.url
        self.is_pending = settings.is_open
        self._place = _caller()

    def warn(self) -> None:
        """Give the warning if it is pending. To be called before a token or password is sent."""
        if self.is_pending:
            self.is_pending = False
            filename, line = self._place
            warnings.warn_explicit(
                f"{self._url} is not encrypted: the token or password can be read by others on the network. "
                "Use https:// if the server supports it.",
                UserWarning,
                filename,
                line,
            )


def _caller() -> tuple[str, int]:
    """Return the file name and line of the innermost call from outside of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
