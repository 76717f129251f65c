"""Runs a batch: sends, follows and records its rows until all have ended; pauses, cancels and retries on request."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from invokeai_py_client.batch.control import BatchControl
from invokeai_py_client.batch.recorder import Recorder
from invokeai_py_client.batch.row_table import UNSENT
from invokeai_py_client.errors import InvokeAIError, RunError, SettingsError

PATIENCE = 3.0
"""How long, in seconds, Ctrl-C waits for the request in flight."""

_CANCELED_PART = 1000
"""How many unsent rows are recorded as canceled at a time."""

logger = logging.getLogger("invokeai_py_client.batch")


class Sends(Protocol):
    """Sends the unsent rows to one server, or to the servers of a fleet."""

    @property
    def is_sending(self) -> bool:
        """Whether a request is in flight."""
        ...

    def give_up(self) -> None:
        """Withdraw the request in flight. Its rows become unsent."""
        ...

    def write_start(self) -> None:
        """Record in the journal that the batch starts, or is resumed.

        Raises:
            OSError: the journal cannot be written.
        """
        ...

    async def send_unsent(self) -> None:
        """Send the unsent rows, until the batch is canceled.

        Raises:
            InvokeAIError: an error that all other rows would have as well.
        """
        ...


class Follows(Protocol):
    """Follows the rows that were sent, and passes their outcomes to the recorder."""

    @property
    def unfinished_part(self) -> float:
        """The completed part of the rows that have not ended, in rows. Any thread may read it."""
        ...

    async def cancel(self) -> None:
        """Cancel the rows that were sent and have not ended.

        Raises:
            InvokeAIError: a request failed.
        """
        ...


class Runner:
    """Runs one batch. Its methods run on the engine; its properties may be read in any thread.

    Args:
        recorder: records the outcomes of the rows.
        follower: follows the rows that were sent.
        control: the shared state of the batch.
        sender: sends the rows; None if the plan is unknown, so nothing can be sent.
    """

    def __init__(
        self,
        recorder: Recorder,
        follower: Follows,
        control: BatchControl,
        sender: Sends | None = None,
    ) -> None:
        self.recorder = recorder
        self.control = control
        self._follower = follower
        self._sender = sender

    @property
    def progress(self) -> float:
        """The estimated percentage of the work that is done, 0..100."""
        table = self.recorder.table
        done = table.ended_count + self.recorder.saving + self._follower.unfinished_part
        return min(100.0, 100.0 * done / len(table)) if len(table) else 100.0

    async def start(self) -> None:
        """Start the batch. If nothing is left to do, the batch is over when this returns."""
        self.launch()
        if self._is_done:
            await self.control.until(lambda: self.control.is_over)

    def launch(self) -> None:
        """Start the background tasks of the batch."""
        self.control.begin()
        self.control.spawn(self._run, name=f"batch {self.control.batch_id}")
        self.control.spawn(self._stop_after_failures, name=f"failures of batch {self.control.batch_id}")

    def pause(self) -> None:
        """Send no more rows until `resume`. A request in flight is completed."""
        self.control.is_paused = True

    def resume(self) -> None:
        """Send the remaining rows."""
        self.control.is_paused = False
        self.control.notify()

    async def stop_sending(self) -> None:
        """Pause, and wait for the request in flight. If it takes too long, it is withdrawn."""
        self.pause()
        sender = self._sender
        if sender is not None:
            await self.control.until(lambda: not sender.is_sending, PATIENCE)
            sender.give_up()
            await self.control.until(lambda: not sender.is_sending)

    async def cancel(self) -> None:
        """Send no more rows, and cancel those that have not ended.

        Raises:
            InvokeAIError: a request failed.
        """
        if not self.control.is_over:
            await self.recorder.folder.in_thread(self.recorder.folder.journal.canceled)
            await self._stop()

    def retry_failed(self) -> int:
        """Run the failed rows again; return the number of failed rows.

        Raises:
            BatchFolderError: the folder can no longer be used.
            RunError: the batch stopped before all rows had ended, or it is still being canceled.
            SettingsError: the plan is unknown.
        """
        control, table, folder = self.control, self.recorder.table, self.recorder.folder
        if self._sender is None:
            raise SettingsError(
                "The rows of a batch that was found by its id cannot be run again: the plan is unknown.",
                setting="batch_id",
                hint="Submit the plan, or open the batch by its folder.",
            )
        if control.is_over and table.in_flight:
            raise RunError(
                f"The batch has stopped with {table.in_flight} rows in the queue: {control.failure}",
                batch_id=control.batch_id,
                hint="Submit the plan to the same folder again: that also follows the rows in the queue.",
            )
        failed = table.having("failed")
        if not failed:
            return 0
        if control.is_canceled and not control.is_over and self.recorder.stopped_by is None:
            # Its other rows would be sent as well.
            raise RunError(
                f"The batch is still being canceled: {table.in_flight} of its rows have not ended.",
                batch_id=control.batch_id,
                hint="Run the failed rows again when wait() has returned.",
            )
        if control.is_over:
            folder.lock()
        try:
            if control.is_canceled:
                with folder.writing():
                    self._sender.write_start()
        except BaseException:
            if control.is_over:
                folder.release()
            raise
        control.is_canceled = False
        self.recorder.forgive()
        for index in failed:
            table.set_state(index, UNSENT)
        if control.is_over:
            self.launch()
        control.notify()
        return len(failed)

    async def _run(self) -> None:
        control, table = self.control, self.recorder.table
        while True:
            if self._sender is not None and table.unsent and not control.is_canceled:
                await self._sender.send_unsent()
            await control.until(lambda: self._is_done or (table.unsent > 0 and not control.is_canceled))
            if self._is_done:
                if control.is_canceled and self.recorder.stopped_by is None:
                    await self._record_unsent()
                await self.recorder.finish()
                # `retry_failed` may have been called in the meantime.
                if self._is_done:
                    break
        control.end(self.recorder.stopped_by)

    @property
    def _is_done(self) -> bool:
        table = self.recorder.table
        return not table.in_flight and (self.control.is_canceled or not table.unsent)

    async def _record_unsent(self) -> None:
        """Record the rows that were canceled before they were sent."""
        recorder, rows = self.recorder, iter(self.recorder.plan)
        while self.control.is_canceled:
            part = await asyncio.to_thread(recorder.take_unsent, rows, _CANCELED_PART)
            if not part:
                break
            for row in part:
                recorder.canceled(row)

    async def _stop(self) -> None:
        """Send no more rows, and cancel those that have not ended."""
        self.control.is_canceled = True
        self.control.notify()
        if self._sender is not None:
            self._sender.give_up()
        await self._follower.cancel()

    async def _stop_after_failures(self) -> None:
        while True:
            await self.control.until(lambda: self.recorder.stopped_by is not None)
            try:
                await self._stop()
            except InvokeAIError as error:
                # The rows continue to run, and are followed until they end.
                logger.warning("batch %s: the remaining rows could not be canceled: %s", self.control.batch_id, error)
            await self.control.until(lambda: self.recorder.stopped_by is None)
