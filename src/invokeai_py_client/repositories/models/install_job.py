"""`AsyncInstallJob`: a handle of the installation of a model."""

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

    Only administrators can use it.

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
        """The latest known record of the installation. Reading it does not send a request."""
        return self._record

    @property
    def info(self) -> InstallJobRecord:
        """The same as `record`; its name in client 1.1."""
        return self.record

    @property
    def job_id(self) -> int:
        """The id of the installation. After a restart, the server may assign it to another one."""
        return self.record.id

    @property
    def status(self) -> str:
        """`waiting`, `downloading`, `downloads_done`, `running`, `paused`, `completed`, `error` or `cancelled`."""
        return self.record.status

    @on_engine
    async def refresh(self) -> InstallJobRecord:
        """Fetch the record of the installation, and return it.

        Endpoint: GET /api/v2/models/install/{id}

        Raises:
            NotFoundError: the server no longer has the installation: it was pruned, or the server was restarted.
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
        """Wait until the model is installed. The wait uses events from the socket, and polling as a fallback.

        Args:
            timeout: seconds; None waits without a limit. A timeout does not affect the installation.
            poll_interval: seconds without an event after which the server is polled.
            progress_callback: called with the record at each change, on the caller's loop or in the waiting thread.
                `bytes` of `total_bytes` have been downloaded.

        Returns:
            The installed model.

        Raises:
            InstallFailed: the installation failed, or was canceled.
            InstallTimeout: it had not ended in time. This is a `TimeoutError`.
            NotFoundError: the server no longer has the installation.
        """
        assert progress_callback is not None
        changed = asyncio.Event()

        def watcher(events: list[Event]) -> None:
            for event in events:
                if event.raw.get("id") == self.record.id and str(event.get("name", "")).startswith("model_install_"):
                    changed.set()

        # The server sends the events of installations to the subscribers of the default queue.
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
                # The timeout is that of a request.
                raise
            is_paused = self.record.status == "paused"
            raise InstallTimeout(
                f"Model installation {self.record.id} ({self._source}) had not ended after {timeout:g} s: "
                f"it is {self.record.status}.",
                job_id=self.record.id,
                hint="Call resume() to continue." if is_paused else "It continues: wait again, or cancel it.",
            ) from error
        finally:
            unwatch()
        progress_callback(self.record)
        return self.result()

    def result(self) -> ModelRecord:
        """Return the installed model, as of the latest known record. Does not send a request.

        Raises:
            InstallFailed: the installation failed, was canceled, or has not ended.
        """
        record = self.record
        if record.config_out is not None:
            return record.config_out
        if self._was_cancelled or record.status == "cancelled":
            why, hint = "it was canceled", "Install the model again if you still want it."
        elif record.status not in _ENDS:
            why, hint = f"it is {record.status}", "Wait for it with wait_until()."
        else:
            why = (record.error or record.error_reason or "the server does not say why").strip().rstrip(".")
            is_there = record.error_reason == _DUPLICATE
            hint = "dnn_model_repo.resolve() finds it." if is_there else "Fix the cause and install the model again."
        raise InstallFailed(
            f"Model installation {record.id} ({self._source}) did not install a model: {why}.",
            job_id=record.id,
            error_type=record.error_reason,
            error_message=record.error,
            error_traceback=record.error_traceback,
            hint=hint,
        )

    @on_engine
    async def cancel(self) -> bool:
        """Cancel the installation, and delete its files. An installation that has ended is not changed.

        Endpoint: DELETE /api/v2/models/install/{id}

        Returns:
            Whether the installation was canceled; False if it had ended.

        Raises:
            NotFoundError: the server no longer has the installation.
        """
        # The server would also report a completed installation as canceled, although the model exists.
        if (await self.refresh()).status in _ENDS:
            return False
        # A canceled download may end with an error instead, because its file is deleted while it is written.
        self._was_cancelled = True
        await self._http.send(models.cancel_install_job(self.record.id))
        await self.refresh()
        return True

    @on_engine
    async def pause(self) -> None:
        """Pause the downloads, and keep the downloaded part.

        Endpoint: POST /api/v2/models/install/{id}/pause (InvokeAI 6.11 or later)

        Raises:
            NotFoundError: the server no longer has the installation.
        """
        await self._steer(models.pause_install_job(self.record.id))

    @on_engine
    async def resume(self) -> None:
        """Continue after a pause, or after a restart of the server.

        Endpoint: POST /api/v2/models/install/{id}/resume (InvokeAI 6.11 or later)

        Raises:
            NotFoundError: the server no longer has the installation.
        """
        await self._steer(models.resume_install_job(self.record.id))

    @on_engine
    async def restart_failed(self) -> None:
        """Retry the downloads that failed.

        Endpoint: POST /api/v2/models/install/{id}/restart_failed (InvokeAI 6.11 or later)

        Raises:
            NotFoundError: the server no longer has the installation.
        """
        await self._steer(models.restart_failed_downloads(self.record.id))

    @on_engine
    async def restart_file(self, url: str) -> None:
        """Download one file again.

        Endpoint: POST /api/v2/models/install/{id}/restart_file (InvokeAI 6.11 or later)

        Args:
            url: the URL of the file.

        Raises:
            NotFoundError: the server no longer has the installation.
        """
        await self._steer(models.restart_download(self.record.id, url))

    def progress(self) -> float:
        """The downloaded percentage, 0..100, as of the latest known record; 100 once the installation is completed."""
        if self.record.status == "completed":
            return 100.0
        return 100 * self.record.bytes / self.record.total_bytes if self.record.total_bytes else 0.0

    async def _steer(self, call: Call[InstallJobRecord]) -> None:
        try:
            self._record = await self._http.send(call)
        except RejectedError:
            # The server also responds so for an unknown installation, for which `refresh` raises NotFoundError.
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
