"""`invokeai_py_client.queue` of client 1.1."""

from invokeai_py_client import ProcessorStatus
from invokeai_py_client import Queue as QueueHandle
from invokeai_py_client import QueueCounts as QueueStatus
from invokeai_py_client import QueueItemRecord as QueueItem
from invokeai_py_client import Queues as QueueRepository
from invokeai_py_client import QueueStatus as QueueAndProcessorStatus
from invokeai_py_client.earlier import with_submodules, without

__all__ = ["ProcessorStatus", "QueueAndProcessorStatus", "QueueHandle", "QueueItem", "QueueRepository", "QueueStatus"]

__getattr__ = without(
    __name__,
    {
        "JobHandle": "client.run(item_id) follows a queue item: it has `status`, wait() and cancel().",
        "QueueItemStatus": "The status of an item is a str: pending, in_progress, completed, failed or canceled.",
    },
)

with_submodules(__name__, "job_handle", "queue_handle", "queue_models", "queue_repo")
