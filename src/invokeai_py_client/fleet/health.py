"""Notices when a server that has work no longer responds, and when it responds again."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterator

from invokeai_py_client.errors import InvokeAIError, RequestTimeout
from invokeai_py_client.fleet.calls import Away
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.calls import app

LOOKS_EVERY = 1.0
"""Seconds between two checks. While the socket is connected, a check sends no request."""

DEAD_AFTER = 3.0
"""Seconds for which requests to a server must fail before it counts as dead, so that a quick restart does not."""

HUNG_AFTER = 30.0
"""Seconds without a response after which a server counts as hung. One that loads a large model may be silent for
long."""

_QUESTION = 5.0
"""The timeout of one request, in seconds."""


class Health:
    """Watches whether a server responds, while calls wait for it. Used on the engine.

    Args:
        http: sends the requests.
        tracker: knows whether events arrive.
        engine: runs the checks.
    """

    def __init__(self, http: HttpTransport, tracker: RunTracker, engine: Engine) -> None:
        self._http = http
        self._tracker = tracker
        self._engine = engine
        self._waiting: set[asyncio.Future[Away]] = set()
        self._looks: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watching(self) -> Iterator[asyncio.Future[Away]]:
        """Return a future that gets a result when the server is away."""
        lost: asyncio.Future[Away] = asyncio.get_running_loop().create_future()
        self._waiting.add(lost)
        if self._looks is None or self._looks.done():
            self._looks = self._engine.spawn(self._look(), name=f"health of {self._http.settings.url}")
        try:
            yield lost
        finally:
            self._waiting.discard(lost)

    async def answers(self) -> InvokeAIError | None:
        """Request the version of the server; return None if it responds, else the error."""
        question = dataclasses.replace(app.get_version(), retries=0, timeout=_QUESTION)
        try:
            await self._http.send(question)
        except InvokeAIError as error:
            return error
        return None

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        silent_since: float | None = None
        while self._waiting:
            if self._tracker.listener.is_connected or (error := await self.answers()) is None:
                silent_since = None
            else:
                now = loop.time()
                silent_since = now if silent_since is None else silent_since
                away = _away(error, now - silent_since)
                if away is not None:
                    for lost in self._waiting:
                        if not lost.done():
                            lost.set_result(away)
            await asyncio.sleep(LOOKS_EVERY)


def _away(error: InvokeAIError, seconds: float) -> Away | None:
    """Return why a server that has not responded for `seconds` is away; None if it is too early to say."""
    if isinstance(error, RequestTimeout):
        return Away("hung", f"it has not responded for {seconds:.0f} s") if seconds >= HUNG_AFTER else None
    # A server that responds, but not to this user, has killed no row.
    return Away("dead" if error.is_transient else "refused", f"{error}") if seconds >= DEAD_AFTER else None
