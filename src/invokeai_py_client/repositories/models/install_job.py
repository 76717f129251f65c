"""The installation of a model, as a handle: its progress, its end, and how to stop it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from invokeai_py_client.errors import InstallFailed, InstallTimeout, RejectedError
from invokeai_py_client.fixed_attributes import FixedAttributes
from invokeai_py_client.live.tracker import RunTracker
from invokeai_py_client.runtime.engine import Engine
from invokeai_py_client.runtime.reporting import reporting
from invokeai_py_client.runtime.timeouts import set_within
from invokeai_py_client.runtime.twins import on_engine
from invokeai_py_client.transport.http import HttpTransport
from invokeai_py_client.wire.call import Call
from invokeai_py_client.wire.calls import models
from invokeai_py_client.wire.events import Event
from invokeai_py_client.wire.records.models import InstallJobRecord, ModelRecord

_ENDS = ("completed", "error", "cancelled")

_DUPLICATE = "DuplicateModelException"


class AsyncInstallJob(FixedAttributes):
    """The installation of a model: `InstallJob` blocks, `AsyncInstallJob` (`job.aio`) is awaited.

    It is for administrators.

    Example:
        >>> job = client.dnn_model_repo.install_model("/models/tiger.safetensors", inplace=True)
        >>> job.wait_until(timeout=600).name
        'tiger'
    """

    def __init__(self, engine: Engine, http: HttpTransport, tracker: RunTracker, record: InstallJobRecord) -> None:
        self._engine = engine
        self._http = http
        self._tracker = tracker
        self._record = record
        self._was_cancelled = False

    @property
    def record(self) -> InstallJobRecord:
        """What was known of the installation last, without a request."""
        return self._record

    @property
    def info(self) -> InstallJobRecord:
        """`record`, by the name that it had in client 1.1."""
        return self.record

    @property
    def job_id(self) -> int:
        """Its id, which the server gives anew after a restart."""
        return self.record.id

    @property
    def status(self) -> str:
        """`waiting`, `downloading`, `downloads_done`, `running`, `paused`, `completed`, `error` or `cancelled`."""
        return self.record.status

    @on_engine
    async def refresh(self) -> InstallJobRecord:
        """Ask the server how it is.

        Endpoint: GET /api/v2/models/install/{id}

        Raises:
            NotFoundError: the server has forgotten it: it was pruned, or the server was restarted.
        """
        self._record = await self._http.send(models.get_install_job(self.record.id))
        return self.record

    @reporting
    async def wait_until(
        self,
        timeout: float | None = None,  # noqa: ASYNC109
        poll_interval: float = 2.0,
        *,
        progress_callback: Callable[[InstallJobRecord], object] | None = None,
    ) -> ModelRecord:
        """Wait until the model is installed. Pushed events tell its progress; polling is the net.

        Args:
            timeout: seconds; None to wait as long as it takes. The installation goes on after it.
            poll_interval: seconds after which the server is asked although no event came.
            progress_callback: called with the job at each change, on the caller's loop or in the thread that waits:
                `bytes` of `total_bytes` are downloaded.

        Returns:
            The installed model.

        Raises:
            InstallFailed: it failed, or was cancelled.
            InstallTimeout: a `TimeoutError`: it had not ended in time.
            NotFoundError: the server has forgotten it.
        """
        assert progress_callback is not None
        changed = asyncio.Event()

        def watcher(events: list[Event]) -> None:
            for event in events:
                if event.raw.get("id") == self.record.id and str(event.get("name", "")).startswith("model_install_"):
                    changed.set()

        # Its events are sent to the subscribers of the default queue.
        unwatch = await self._tracker.watch_queue("default", watcher)
        limit = asyncio.timeout(timeout)
        try:
            async with limit:
                while (await self.refresh()).status not in _ENDS:
                    progress_callback(self.record)
                    await set_within(changed, poll_interval)
                    changed.clear()
        except TimeoutError as error:
            if not limit.expired():
                # It is a request that got no answer.
                raise
            is_paused = self.record.status == "paused"
            raise InstallTimeout(
                f"The installation {self.record.id} of {self._source} had not ended after {timeout:g} s: "
                f"it is {self.record.status}.",
                job_id=self.record.id,
                hint="Let it go on with resume()." if is_paused else "It goes on: wait for it again, or cancel it.",
            ) from error
        finally:
            unwatch()
        progress_callback(self.record)
        return self.result()

    def result(self) -> ModelRecord:
        """The installed model, as far as is known without asking.

        Raises:
            InstallFailed: it failed, was cancelled, or has not ended.
        """
        record = self.record
        if record.config_out is not None:
            return record.config_out
        if self._was_cancelled or record.status == "cancelled":
            why, hint = "it was cancelled", "Install it again if it is wanted all the same."
        elif record.status not in _ENDS:
            why, hint = f"it is {record.status}", "Wait for it with wait_until()."
        else:
            why = (record.error or record.error_reason or "the server does not say why").strip().rstrip(".")
            is_there = record.error_reason == _DUPLICATE
            hint = "dnn_model_repo.resolve() finds it." if is_there else "Mend its cause and install it again."
        raise InstallFailed(
            f"The installation {record.id} of {self._source} has no model: {why}.",
            job_id=record.id,
            error_type=record.error_reason,
            error_message=record.error,
            error_traceback=record.error_traceback,
            hint=hint,
        )

    @on_engine
    async def cancel(self) -> bool:
        """Stop it; nothing of the model stays. One that has ended stays as it is.

        Endpoint: DELETE /api/v2/models/install/{id}

        Returns:
            Whether there was anything left to stop.

        Raises:
            NotFoundError: the server has forgotten it.
        """
        # The server would call one cancelled whose model it has.
        if (await self.refresh()).status in _ENDS:
            return False
        # A download that loses its file in its midst ends as an error, whatever the reason.
        self._was_cancelled = True
        await self._http.send(models.cancel_install_job(self.record.id))
        await self.refresh()
        return True

    @on_engine
    async def pause(self) -> None:
        """Stop its downloads; what is downloaded is kept.

        Endpoint: POST /api/v2/models/install/{id}/pause (InvokeAI 6.11 or later)

        Raises:
            NotFoundError: the server has forgotten it; so with all that follow.
        """
        await self._steer(models.pause_install_job(self.record.id))

    @on_engine
    async def resume(self) -> None:
        """Go on after a pause, or after a restart of the server.

        Endpoint: POST /api/v2/models/install/{id}/resume (InvokeAI 6.11 or later)
        """
        await self._steer(models.resume_install_job(self.record.id))

    @on_engine
    async def restart_failed(self) -> None:
        """Download anew what failed to.

        Endpoint: POST /api/v2/models/install/{id}/restart_failed (InvokeAI 6.11 or later)
        """
        await self._steer(models.restart_failed_downloads(self.record.id))

    @on_engine
    async def restart_file(self, url: str) -> None:
        """Download one file anew.

        Endpoint: POST /api/v2/models/install/{id}/restart_file (InvokeAI 6.11 or later)
        """
        await self._steer(models.restart_download(self.record.id, url))

    def progress(self) -> float:
        """Return how much is downloaded, 0..100, as far as is known without a request; 100 once it is completed."""
        if self.record.status == "completed":
            return 100.0
        return 100 * self.record.bytes / self.record.total_bytes if self.record.total_bytes else 0.0

    async def _steer(self, call: Call[InstallJobRecord]) -> None:
        try:
            self._record = await self._http.send(call)
        except RejectedError:
            # So the server also refuses what it has forgotten; asking for it tells.
            await self.refresh()
            raise

    @property
    def _source(self) -> str:
        source = self.record.source
        if isinstance(source, str):
            return repr(source)
        return repr(next((source[name] for name in ("path", "url", "repo_id", "external_id") if name in source), "?"))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.job_id} {self.status}>"
