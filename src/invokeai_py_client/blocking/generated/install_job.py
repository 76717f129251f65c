# Generated from repositories/models/install_job.py by scripts/generate_blocking.py. Do not edit.
"""`InstallJob`: the methods of `AsyncInstallJob`, blocking."""

from __future__ import annotations

from collections.abc import Callable

from invokeai_py_client.repositories.models.install_job import AsyncInstallJob
from invokeai_py_client.runtime.reporting import block_reporting
from invokeai_py_client.runtime.twins import Blocking
from invokeai_py_client.wire.records.models import InstallJobRecord, ModelRecord


class InstallJob(Blocking[AsyncInstallJob]):
    """The installation of a model: `InstallJob` blocks, `AsyncInstallJob` (`job.aio`) is awaited.

    Only administrators can use it.

    Example:
        >>> job = client.dnn_model_repo.install_model("/models/tiger.safetensors", inplace=True)
        >>> job.wait_until(timeout=600).name
        'tiger'
    """

    @property
    def record(self) -> InstallJobRecord:
        """The latest known record of the installation. Reading it does not send a request."""
        return self._aio.record

    @property
    def info(self) -> InstallJobRecord:
        """The same as `record`; its name in client 1.1."""
        return self._aio.info

    @property
    def job_id(self) -> int:
        """The id of the installation. After a restart, the server may assign it to another one."""
        return self._aio.job_id

    @property
    def status(self) -> str:
        """`waiting`, `downloading`, `downloads_done`, `running`, `paused`, `completed`, `error` or `cancelled`."""
        return self._aio.status

    def refresh(self) -> InstallJobRecord:
        """Fetch the record of the installation, and return it.

        Endpoint: GET /api/v2/models/install/{id}

        Raises:
            NotFoundError: the server no longer has the installation: it was pruned, or the server was restarted.
        """
        return self._aio._engine.block(self._aio.refresh())

    def wait_until(
        self,
        timeout: float | None = None,
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
        return block_reporting(
            self._aio._engine,
            lambda report: self._aio.wait_until(timeout, poll_interval, progress_callback=report),
            progress_callback,
        )

    def result(self) -> ModelRecord:
        """Return the installed model, as of the latest known record. Does not send a request.

        Raises:
            InstallFailed: the installation failed, was canceled, or has not ended.
        """
        return self._aio.result()

    def cancel(self) -> bool:
        """Cancel the installation, and delete its files. An installation that has ended is not changed.

        Endpoint: DELETE /api/v2/models/install/{id}

        Returns:
            Whether the installation was canceled; False if it had ended.

        Raises:
            NotFoundError: the server no longer has the installation.
        """
        return self._aio._engine.block(self._aio.cancel())

    def pause(self) -> None:
        """Pause the downloads, and keep the downloaded part.

        Endpoint: POST /api/v2/models/install/{id}/pause (InvokeAI 6.11 or later)

        Raises:
            NotFoundError: the server no longer has the installation.
        """
        return self._aio._engine.block(self._aio.pause())

    def resume(self) -> None:
        """Continue after a pause, or after a restart of the server.

        Endpoint: POST /api/v2/models/install/{id}/resume (InvokeAI 6.11 or later)

        Raises:
            NotFoundError: the server no longer has the installation.
        """
        return self._aio._engine.block(self._aio.resume())

    def restart_failed(self) -> None:
        """Retry the downloads that failed.

        Endpoint: POST /api/v2/models/install/{id}/restart_failed (InvokeAI 6.11 or later)

        Raises:
            NotFoundError: the server no longer has the installation.
        """
        return self._aio._engine.block(self._aio.restart_failed())

    def restart_file(self, url: str) -> None:
        """Download one file again.

        Endpoint: POST /api/v2/models/install/{id}/restart_file (InvokeAI 6.11 or later)

        Args:
            url: the URL of the file.

        Raises:
            NotFoundError: the server no longer has the installation.
        """
        work = self._aio.restart_file(url)
        del url
        return self._aio._engine.block(work)

    def progress(self) -> float:
        """The downloaded percentage, 0..100, as of the latest known record; 100 once the installation is completed."""
        return self._aio.progress()

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
