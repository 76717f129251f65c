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

    It is for administrators.

    Example:
        >>> job = client.dnn_model_repo.install_model("/models/tiger.safetensors", inplace=True)
        >>> job.wait_until(timeout=600).name
        'tiger'
    """

    @property
    def record(self) -> InstallJobRecord:
        """What was known of the installation last, without a request."""
        return self._aio.record

    @property
    def info(self) -> InstallJobRecord:
        """`record`, by the name that it had in client 1.1."""
        return self._aio.info

    @property
    def job_id(self) -> int:
        """Its id, which the server gives anew after a restart."""
        return self._aio.job_id

    @property
    def status(self) -> str:
        """`waiting`, `downloading`, `downloads_done`, `running`, `paused`, `completed`, `error` or `cancelled`."""
        return self._aio.status

    def refresh(self) -> InstallJobRecord:
        """Ask the server how it is.

        Endpoint: GET /api/v2/models/install/{id}

        Raises:
            NotFoundError: the server has forgotten it: it was pruned, or the server was restarted.
        """
        return self._aio._engine.block(self._aio.refresh())

    def wait_until(
        self,
        timeout: float | None = None,
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
        return block_reporting(
            self._aio._engine,
            lambda report: self._aio.wait_until(timeout, poll_interval, progress_callback=report),
            progress_callback,
        )

    def result(self) -> ModelRecord:
        """The installed model, as far as is known without asking.

        Raises:
            InstallFailed: it failed, was cancelled, or has not ended.
        """
        return self._aio.result()

    def cancel(self) -> bool:
        """Stop it; nothing of the model stays. One that has ended stays as it is.

        Endpoint: DELETE /api/v2/models/install/{id}

        Returns:
            Whether there was anything left to stop.

        Raises:
            NotFoundError: the server has forgotten it.
        """
        return self._aio._engine.block(self._aio.cancel())

    def pause(self) -> None:
        """Stop its downloads; what is downloaded is kept.

        Endpoint: POST /api/v2/models/install/{id}/pause (InvokeAI 6.11 or later)

        Raises:
            NotFoundError: the server has forgotten it; so with all that follow.
        """
        return self._aio._engine.block(self._aio.pause())

    def resume(self) -> None:
        """Go on after a pause, or after a restart of the server.

        Endpoint: POST /api/v2/models/install/{id}/resume (InvokeAI 6.11 or later)
        """
        return self._aio._engine.block(self._aio.resume())

    def restart_failed(self) -> None:
        """Download anew what failed to.

        Endpoint: POST /api/v2/models/install/{id}/restart_failed (InvokeAI 6.11 or later)
        """
        return self._aio._engine.block(self._aio.restart_failed())

    def restart_file(self, url: str) -> None:
        """Download one file anew.

        Endpoint: POST /api/v2/models/install/{id}/restart_file (InvokeAI 6.11 or later)
        """
        work = self._aio.restart_file(url)
        del url
        return self._aio._engine.block(work)

    def progress(self) -> float:
        """Return how much is downloaded, 0..100, as far as is known without a request; 100 once it is completed."""
        return self._aio.progress()

    def __repr__(self) -> str:

        return repr(self._aio).replace("Async", "", 1)
