"""Run InvokeAI workflows from Python: typed inputs, pushed progress, every result accounted for.

```
from invokeai_py_client import InvokeAIClient, WorkflowDefinition

with InvokeAIClient.from_url("http://127.0.0.1:9090") as client:
    wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file("tiger.json"))
    wf.inputs["Positive Prompt"].value = "a tiger cub"
    run = wf.submit_sync()
    run.result(timeout=120)
    for image in run.images:
        print(image.save("out"))
```

The names are imported when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from invokeai_py_client.errors import InvokeAIError

if TYPE_CHECKING:
    from invokeai_py_client import errors as errors
    from invokeai_py_client.blocking.generated.image import Image
    from invokeai_py_client.blocking.generated.run import Run
    from invokeai_py_client.blocking.handle import WorkflowHandle
    from invokeai_py_client.client import InvokeAIClient
    from invokeai_py_client.live.priority import Priority
    from invokeai_py_client.live.state.queue_item import QueueItem
    from invokeai_py_client.patterns.monitor import WorkflowMonitor
    from invokeai_py_client.secret import Secret
    from invokeai_py_client.settings import Settings
    from invokeai_py_client.wire.events import (
        BatchEnqueued,
        Event,
        GeneratorProgress,
        InvocationComplete,
        InvocationError,
        InvocationStarted,
        QueueCleared,
        QueueItemsCanceled,
        QueueItemsRetried,
        QueueItemStatusChanged,
        Reconnected,
        SessionComplete,
    )
    from invokeai_py_client.workflow.document import WorkflowDefinition
    from invokeai_py_client.workflow.inputs import (
        NodeInputs,
        WorkflowInput,
        WorkflowInputs,
        WorkflowNode,
        WorkflowNodes,
    )
    from invokeai_py_client.workflow.model_binding import ModelBinding, ModelChange, UnboundModel
    from invokeai_py_client.workflow.outputs import NodePath, OutputMapping
    from invokeai_py_client.workflow.references import SavedModel

__all__ = [
    "BatchEnqueued",
    "Event",
    "GeneratorProgress",
    "Image",
    "InvocationComplete",
    "InvocationError",
    "InvocationStarted",
    "InvokeAIClient",
    "InvokeAIError",
    "ModelBinding",
    "ModelChange",
    "NodeInputs",
    "NodePath",
    "OutputMapping",
    "Priority",
    "QueueCleared",
    "QueueItem",
    "QueueItemStatusChanged",
    "QueueItemsCanceled",
    "QueueItemsRetried",
    "Reconnected",
    "Run",
    "SavedModel",
    "Secret",
    "SessionComplete",
    "Settings",
    "UnboundModel",
    "WorkflowDefinition",
    "WorkflowHandle",
    "WorkflowInput",
    "WorkflowInputs",
    "WorkflowMonitor",
    "WorkflowNode",
    "WorkflowNodes",
    "errors",
]

_HOMES = {
    "BatchEnqueued": "wire.events",
    "Event": "wire.events",
    "GeneratorProgress": "wire.events",
    "Image": "blocking.generated.image",
    "InvocationComplete": "wire.events",
    "InvocationError": "wire.events",
    "InvocationStarted": "wire.events",
    "InvokeAIClient": "client",
    "ModelBinding": "workflow.model_binding",
    "ModelChange": "workflow.model_binding",
    "NodeInputs": "workflow.inputs",
    "NodePath": "workflow.outputs",
    "OutputMapping": "workflow.outputs",
    "Priority": "live.priority",
    "QueueCleared": "wire.events",
    "QueueItem": "live.state.queue_item",
    "QueueItemStatusChanged": "wire.events",
    "QueueItemsCanceled": "wire.events",
    "QueueItemsRetried": "wire.events",
    "Reconnected": "wire.events",
    "Run": "blocking.generated.run",
    "SavedModel": "workflow.references",
    "Secret": "secret",
    "SessionComplete": "wire.events",
    "Settings": "settings",
    "UnboundModel": "workflow.model_binding",
    "WorkflowDefinition": "workflow.document",
    "WorkflowHandle": "blocking.handle",
    "WorkflowInput": "workflow.inputs",
    "WorkflowInputs": "workflow.inputs",
    "WorkflowMonitor": "patterns.monitor",
    "WorkflowNode": "workflow.inputs",
    "WorkflowNodes": "workflow.inputs",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
