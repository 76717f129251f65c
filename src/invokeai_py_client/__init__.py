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
    from invokeai_py_client.async_client import AsyncClient
    from invokeai_py_client.batch.async_plan import AsyncPlan
    from invokeai_py_client.batch.batch_options import WhichImages
    from invokeai_py_client.batch.batch_run import AsyncBatchRun, BatchProgress, CompletedRows
    from invokeai_py_client.batch.failures import BatchFailures
    from invokeai_py_client.batch.manifest import BatchRow, RowFile
    from invokeai_py_client.batch.plan_options import Combine, Expand, OnBadRow, Seeds
    from invokeai_py_client.batch.rows import CellProblem, PlannedRow
    from invokeai_py_client.batch.sources import PlanSource, Replacement, replace
    from invokeai_py_client.blocking.generated.app import App
    from invokeai_py_client.blocking.generated.auth import Auth
    from invokeai_py_client.blocking.generated.batch_run import BatchRun
    from invokeai_py_client.blocking.generated.board import Board
    from invokeai_py_client.blocking.generated.boards import Boards
    from invokeai_py_client.blocking.generated.image import Image
    from invokeai_py_client.blocking.generated.images import Images
    from invokeai_py_client.blocking.generated.install_job import InstallJob
    from invokeai_py_client.blocking.generated.models import Models
    from invokeai_py_client.blocking.generated.plan import Plan
    from invokeai_py_client.blocking.generated.queue import Queue
    from invokeai_py_client.blocking.generated.queues import Queues
    from invokeai_py_client.blocking.generated.run import Run
    from invokeai_py_client.blocking.generated.style_presets import StylePresets
    from invokeai_py_client.blocking.generated.videos import Videos
    from invokeai_py_client.blocking.generated.workflows import Workflows
    from invokeai_py_client.blocking.workflow_handle import WorkflowHandle
    from invokeai_py_client.client import InvokeAIClient
    from invokeai_py_client.codegen.form_snapshot import KEEP, FormInput, FormSnapshot, Keep
    from invokeai_py_client.codegen.module import generate_module
    from invokeai_py_client.fleet.async_fleet import AsyncFleet
    from invokeai_py_client.fleet.fleet import Fleet
    from invokeai_py_client.fleet.server import Server
    from invokeai_py_client.fleet.servers_file import read_servers
    from invokeai_py_client.fleet.status import FleetStatus, ServerState, ServerStatus
    from invokeai_py_client.image import AsyncImage
    from invokeai_py_client.live.connection_changes import ConnectionChange
    from invokeai_py_client.live.priority import Priority, PriorityName
    from invokeai_py_client.live.state.queue_item import NodeOutput, QueueItem
    from invokeai_py_client.live.stats import ClientStats
    from invokeai_py_client.live.stream import EventStream
    from invokeai_py_client.patterns.execution_log import ExecutionLogger
    from invokeai_py_client.patterns.monitor import WorkflowMonitor
    from invokeai_py_client.patterns.pipeline import (
        AsyncInputMapper,
        AsyncWorkflowPipeline,
        InputMapper,
        PipelineResult,
        WorkflowPipeline,
    )
    from invokeai_py_client.patterns.retry import (
        Fallback,
        execute_with_recovery,
        execute_with_recovery_async,
        execute_with_retry,
        execute_with_retry_async,
    )
    from invokeai_py_client.report.axes import Axis
    from invokeai_py_client.report.contact_sheet import contact_sheet
    from invokeai_py_client.report.page import ReportPage
    from invokeai_py_client.repositories.app import AsyncApp, Health
    from invokeai_py_client.repositories.arguments import (
        BoardLike,
        ImageInput,
        ImageLike,
        ImagesLike,
        VideoLike,
        VideosLike,
    )
    from invokeai_py_client.repositories.auth import AsyncAuth
    from invokeai_py_client.repositories.boards.board import AsyncBoard
    from invokeai_py_client.repositories.boards.boards import AsyncBoards, Visibility
    from invokeai_py_client.repositories.media.common import Category, Origin
    from invokeai_py_client.repositories.media.images import AsyncImages
    from invokeai_py_client.repositories.media.temporary_images import TemporaryImages
    from invokeai_py_client.repositories.media.videos import AsyncVideos
    from invokeai_py_client.repositories.models.install_job import AsyncInstallJob
    from invokeai_py_client.repositories.models.models import AsyncModels
    from invokeai_py_client.repositories.queue.order import QueuePosition
    from invokeai_py_client.repositories.queue.queue import AsyncQueue, AsyncQueues
    from invokeai_py_client.repositories.schema_drift import Drift
    from invokeai_py_client.repositories.style_presets import AsyncStylePresets
    from invokeai_py_client.repositories.workflows import AsyncWorkflows
    from invokeai_py_client.run import AsyncRun, PollInterval, ProgressCallback
    from invokeai_py_client.runtime.listing import Listing
    from invokeai_py_client.secret import Secret
    from invokeai_py_client.settings import Settings
    from invokeai_py_client.transfers.concurrent import (
        TransferCallback,
        TransferFailure,
        TransferProgress,
        TransferReport,
    )
    from invokeai_py_client.transfers.uploads import FileSource, ImageSource
    from invokeai_py_client.wire.call import Query, Response
    from invokeai_py_client.wire.events import (
        BatchEnqueued,
        Event,
        GeneratorProgress,
        InvocationComplete,
        InvocationError,
        InvocationEvent,
        InvocationStarted,
        ItemEvent,
        QueueCleared,
        QueueItemsCanceled,
        QueueItemsRetried,
        QueueItemStatusChanged,
        Reconnected,
        SessionComplete,
        UnknownEvent,
    )
    from invokeai_py_client.wire.preview import Preview
    from invokeai_py_client.wire.records.app import (
        GenerationDevice,
        InvocationCacheStatus,
        PresetData,
        RuntimeConfig,
        StylePreset,
    )
    from invokeai_py_client.wire.records.boards import BoardRecord, DeletedBoard
    from invokeai_py_client.wire.records.images import ImageRecord, ImageUrls, VideoRecord, VideoUrls
    from invokeai_py_client.wire.records.models import (
        DeletedModels,
        DeletedOrphans,
        FoundModel,
        HuggingFaceFiles,
        InstallJobRecord,
        InstallStatus,
        ModelCacheStats,
        ModelRecord,
        OrphanedModel,
        StarterModel,
    )
    from invokeai_py_client.wire.records.queue import (
        BatchStatus,
        CancelResult,
        DeletedItems,
        DestinationCounts,
        ProcessorStatus,
        QueueCounts,
        QueueItemRecord,
        QueueItemStatus,
        QueueItemSummary,
        QueueStatus,
    )
    from invokeai_py_client.wire.records.users import AuthStatus, UserRecord
    from invokeai_py_client.wire.records.workflows import WorkflowSummary
    from invokeai_py_client.workflow.document import Node, WorkflowDefinition
    from invokeai_py_client.workflow.edge import Edge
    from invokeai_py_client.workflow.fields import Field, FieldPlace
    from invokeai_py_client.workflow.index_map import IndexMapChanges, MappedInput
    from invokeai_py_client.workflow.input_types import BoxLike, ColorLike, ModelLike
    from invokeai_py_client.workflow.inputs import (
        InputKey,
        NodeInputs,
        WorkflowInput,
        WorkflowInputs,
        WorkflowNode,
        WorkflowNodes,
    )
    from invokeai_py_client.workflow.model_binding import ModelBinding, ModelChange, UnboundModel
    from invokeai_py_client.workflow.outputs import NodePath, OutputMapping
    from invokeai_py_client.workflow.references import SavedModel
    from invokeai_py_client.workflow.templates import (
        Cardinality,
        FieldType,
        InputTemplate,
        NodeTemplate,
        NodeTemplates,
        OutputTemplate,
    )
    from invokeai_py_client.workflow_handle import AsyncWorkflowHandle, OnServerLoss

# Scripts of client 1.1 import from modules that are in this folder.
__path__.append(f"{__path__[0]}/earlier")

__version__ = "0.1.0"

__all__ = [
    "KEEP",
    "App",
    "AsyncApp",
    "AsyncAuth",
    "AsyncBatchRun",
    "AsyncBoard",
    "AsyncBoards",
    "AsyncClient",
    "AsyncFleet",
    "AsyncImage",
    "AsyncImages",
    "AsyncInputMapper",
    "AsyncInstallJob",
    "AsyncModels",
    "AsyncPlan",
    "AsyncQueue",
    "AsyncQueues",
    "AsyncRun",
    "AsyncStylePresets",
    "AsyncVideos",
    "AsyncWorkflowHandle",
    "AsyncWorkflowPipeline",
    "AsyncWorkflows",
    "Auth",
    "AuthStatus",
    "Axis",
    "BatchEnqueued",
    "BatchFailures",
    "BatchProgress",
    "BatchRow",
    "BatchRun",
    "BatchStatus",
    "Board",
    "BoardLike",
    "BoardRecord",
    "Boards",
    "BoxLike",
    "CancelResult",
    "Cardinality",
    "Category",
    "CellProblem",
    "ClientStats",
    "ColorLike",
    "Combine",
    "CompletedRows",
    "ConnectionChange",
    "DeletedBoard",
    "DeletedItems",
    "DeletedModels",
    "DeletedOrphans",
    "DestinationCounts",
    "Drift",
    "Edge",
    "Event",
    "EventStream",
    "ExecutionLogger",
    "Expand",
    "Fallback",
    "Field",
    "FieldPlace",
    "FieldType",
    "FileSource",
    "Fleet",
    "FleetStatus",
    "FormInput",
    "FormSnapshot",
    "FoundModel",
    "GenerationDevice",
    "GeneratorProgress",
    "Health",
    "HuggingFaceFiles",
    "Image",
    "ImageInput",
    "ImageLike",
    "ImageRecord",
    "ImageSource",
    "ImageUrls",
    "Images",
    "ImagesLike",
    "IndexMapChanges",
    "InputKey",
    "InputMapper",
    "InputTemplate",
    "InstallJob",
    "InstallJobRecord",
    "InstallStatus",
    "InvocationCacheStatus",
    "InvocationComplete",
    "InvocationError",
    "InvocationEvent",
    "InvocationStarted",
    "InvokeAIClient",
    "InvokeAIError",
    "ItemEvent",
    "Keep",
    "Listing",
    "MappedInput",
    "ModelBinding",
    "ModelCacheStats",
    "ModelChange",
    "ModelLike",
    "ModelRecord",
    "Models",
    "Node",
    "NodeInputs",
    "NodeOutput",
    "NodePath",
    "NodeTemplate",
    "NodeTemplates",
    "OnBadRow",
    "OnServerLoss",
    "Origin",
    "OrphanedModel",
    "OutputMapping",
    "OutputTemplate",
    "PipelineResult",
    "Plan",
    "PlanSource",
    "PlannedRow",
    "PollInterval",
    "PresetData",
    "Preview",
    "Priority",
    "PriorityName",
    "ProcessorStatus",
    "ProgressCallback",
    "Query",
    "Queue",
    "QueueCleared",
    "QueueCounts",
    "QueueItem",
    "QueueItemRecord",
    "QueueItemStatus",
    "QueueItemStatusChanged",
    "QueueItemSummary",
    "QueueItemsCanceled",
    "QueueItemsRetried",
    "QueuePosition",
    "QueueStatus",
    "Queues",
    "Reconnected",
    "Replacement",
    "ReportPage",
    "Response",
    "RowFile",
    "Run",
    "RuntimeConfig",
    "SavedModel",
    "Secret",
    "Seeds",
    "Server",
    "ServerState",
    "ServerStatus",
    "SessionComplete",
    "Settings",
    "StarterModel",
    "StylePreset",
    "StylePresets",
    "TemporaryImages",
    "TransferCallback",
    "TransferFailure",
    "TransferProgress",
    "TransferReport",
    "UnboundModel",
    "UnknownEvent",
    "UserRecord",
    "VideoLike",
    "VideoRecord",
    "VideoUrls",
    "Videos",
    "VideosLike",
    "Visibility",
    "WhichImages",
    "WorkflowDefinition",
    "WorkflowHandle",
    "WorkflowInput",
    "WorkflowInputs",
    "WorkflowMonitor",
    "WorkflowNode",
    "WorkflowNodes",
    "WorkflowPipeline",
    "WorkflowSummary",
    "Workflows",
    "__version__",
    "contact_sheet",
    "errors",
    "execute_with_recovery",
    "execute_with_recovery_async",
    "execute_with_retry",
    "execute_with_retry_async",
    "generate_module",
    "read_servers",
    "replace",
]

_HOMES = {
    "App": "blocking.generated.app",
    "AsyncApp": "repositories.app",
    "AsyncAuth": "repositories.auth",
    "AsyncBatchRun": "batch.batch_run",
    "AsyncBoard": "repositories.boards.board",
    "AsyncBoards": "repositories.boards.boards",
    "AsyncClient": "async_client",
    "AsyncFleet": "fleet.async_fleet",
    "AsyncImage": "image",
    "AsyncImages": "repositories.media.images",
    "AsyncInputMapper": "patterns.pipeline",
    "AsyncInstallJob": "repositories.models.install_job",
    "AsyncModels": "repositories.models.models",
    "AsyncPlan": "batch.async_plan",
    "AsyncQueue": "repositories.queue.queue",
    "AsyncQueues": "repositories.queue.queue",
    "AsyncRun": "run",
    "AsyncStylePresets": "repositories.style_presets",
    "AsyncVideos": "repositories.media.videos",
    "AsyncWorkflowHandle": "workflow_handle",
    "AsyncWorkflowPipeline": "patterns.pipeline",
    "AsyncWorkflows": "repositories.workflows",
    "Auth": "blocking.generated.auth",
    "AuthStatus": "wire.records.users",
    "Axis": "report.axes",
    "BatchEnqueued": "wire.events",
    "BatchFailures": "batch.failures",
    "BatchProgress": "batch.batch_run",
    "BatchRow": "batch.manifest",
    "BatchRun": "blocking.generated.batch_run",
    "BatchStatus": "wire.records.queue",
    "Board": "blocking.generated.board",
    "BoardLike": "repositories.arguments",
    "BoardRecord": "wire.records.boards",
    "Boards": "blocking.generated.boards",
    "BoxLike": "workflow.input_types",
    "CancelResult": "wire.records.queue",
    "Cardinality": "workflow.templates",
    "Category": "repositories.media.common",
    "CellProblem": "batch.rows",
    "ClientStats": "live.stats",
    "ColorLike": "workflow.input_types",
    "Combine": "batch.plan_options",
    "CompletedRows": "batch.batch_run",
    "ConnectionChange": "live.connection_changes",
    "DeletedBoard": "wire.records.boards",
    "DeletedItems": "wire.records.queue",
    "DeletedModels": "wire.records.models",
    "DeletedOrphans": "wire.records.models",
    "DestinationCounts": "wire.records.queue",
    "Drift": "repositories.schema_drift",
    "Edge": "workflow.edge",
    "Event": "wire.events",
    "EventStream": "live.stream",
    "ExecutionLogger": "patterns.execution_log",
    "Expand": "batch.plan_options",
    "Fallback": "patterns.retry",
    "Field": "workflow.fields",
    "FieldPlace": "workflow.fields",
    "FieldType": "workflow.templates",
    "FileSource": "transfers.uploads",
    "Fleet": "fleet.fleet",
    "FleetStatus": "fleet.status",
    "FormInput": "codegen.form_snapshot",
    "FormSnapshot": "codegen.form_snapshot",
    "FoundModel": "wire.records.models",
    "GenerationDevice": "wire.records.app",
    "GeneratorProgress": "wire.events",
    "Health": "repositories.app",
    "HuggingFaceFiles": "wire.records.models",
    "Image": "blocking.generated.image",
    "ImageInput": "repositories.arguments",
    "ImageLike": "repositories.arguments",
    "ImageRecord": "wire.records.images",
    "ImageSource": "transfers.uploads",
    "ImageUrls": "wire.records.images",
    "Images": "blocking.generated.images",
    "ImagesLike": "repositories.arguments",
    "IndexMapChanges": "workflow.index_map",
    "InputKey": "workflow.inputs",
    "InputMapper": "patterns.pipeline",
    "InputTemplate": "workflow.templates",
    "InstallJob": "blocking.generated.install_job",
    "InstallJobRecord": "wire.records.models",
    "InstallStatus": "wire.records.models",
    "InvocationCacheStatus": "wire.records.app",
    "InvocationComplete": "wire.events",
    "InvocationError": "wire.events",
    "InvocationEvent": "wire.events",
    "InvocationStarted": "wire.events",
    "InvokeAIClient": "client",
    "ItemEvent": "wire.events",
    "KEEP": "codegen.form_snapshot",
    "Keep": "codegen.form_snapshot",
    "Listing": "runtime.listing",
    "MappedInput": "workflow.index_map",
    "ModelBinding": "workflow.model_binding",
    "ModelCacheStats": "wire.records.models",
    "ModelChange": "workflow.model_binding",
    "ModelLike": "workflow.input_types",
    "ModelRecord": "wire.records.models",
    "Models": "blocking.generated.models",
    "Node": "workflow.document",
    "NodeInputs": "workflow.inputs",
    "NodeOutput": "live.state.queue_item",
    "NodePath": "workflow.outputs",
    "NodeTemplate": "workflow.templates",
    "NodeTemplates": "workflow.templates",
    "OnBadRow": "batch.plan_options",
    "OnServerLoss": "workflow_handle",
    "Origin": "repositories.media.common",
    "OrphanedModel": "wire.records.models",
    "OutputMapping": "workflow.outputs",
    "OutputTemplate": "workflow.templates",
    "PipelineResult": "patterns.pipeline",
    "Plan": "blocking.generated.plan",
    "PlanSource": "batch.sources",
    "PlannedRow": "batch.rows",
    "PollInterval": "run",
    "PresetData": "wire.records.app",
    "Preview": "wire.preview",
    "Priority": "live.priority",
    "PriorityName": "live.priority",
    "ProcessorStatus": "wire.records.queue",
    "ProgressCallback": "run",
    "Query": "wire.call",
    "Queue": "blocking.generated.queue",
    "QueueCleared": "wire.events",
    "QueueCounts": "wire.records.queue",
    "QueueItem": "live.state.queue_item",
    "QueueItemRecord": "wire.records.queue",
    "QueueItemStatus": "wire.records.queue",
    "QueueItemStatusChanged": "wire.events",
    "QueueItemSummary": "wire.records.queue",
    "QueueItemsCanceled": "wire.events",
    "QueueItemsRetried": "wire.events",
    "QueuePosition": "repositories.queue.order",
    "QueueStatus": "wire.records.queue",
    "Queues": "blocking.generated.queues",
    "Reconnected": "wire.events",
    "Replacement": "batch.sources",
    "ReportPage": "report.page",
    "Response": "wire.call",
    "RowFile": "batch.manifest",
    "Run": "blocking.generated.run",
    "RuntimeConfig": "wire.records.app",
    "SavedModel": "workflow.references",
    "Secret": "secret",
    "Seeds": "batch.plan_options",
    "Server": "fleet.server",
    "ServerState": "fleet.status",
    "ServerStatus": "fleet.status",
    "SessionComplete": "wire.events",
    "Settings": "settings",
    "StarterModel": "wire.records.models",
    "StylePreset": "wire.records.app",
    "StylePresets": "blocking.generated.style_presets",
    "TemporaryImages": "repositories.media.temporary_images",
    "TransferCallback": "transfers.concurrent",
    "TransferFailure": "transfers.concurrent",
    "TransferProgress": "transfers.concurrent",
    "TransferReport": "transfers.concurrent",
    "UnboundModel": "workflow.model_binding",
    "UnknownEvent": "wire.events",
    "UserRecord": "wire.records.users",
    "VideoLike": "repositories.arguments",
    "VideoRecord": "wire.records.images",
    "VideoUrls": "wire.records.images",
    "Videos": "blocking.generated.videos",
    "VideosLike": "repositories.arguments",
    "Visibility": "repositories.boards.boards",
    "WhichImages": "batch.batch_options",
    "WorkflowDefinition": "workflow.document",
    "WorkflowHandle": "blocking.workflow_handle",
    "WorkflowInput": "workflow.inputs",
    "WorkflowInputs": "workflow.inputs",
    "WorkflowMonitor": "patterns.monitor",
    "WorkflowNode": "workflow.inputs",
    "WorkflowNodes": "workflow.inputs",
    "WorkflowPipeline": "patterns.pipeline",
    "WorkflowSummary": "wire.records.workflows",
    "Workflows": "blocking.generated.workflows",
    "contact_sheet": "report.contact_sheet",
    "execute_with_recovery": "patterns.retry",
    "execute_with_recovery_async": "patterns.retry",
    "execute_with_retry": "patterns.retry",
    "execute_with_retry_async": "patterns.retry",
    "generate_module": "codegen.module",
    "read_servers": "fleet.servers_file",
    "replace": "batch.sources",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        earlier = importlib.import_module(f"{__name__}.earlier")
        found: object = earlier.name_at_the_root(name)
        return found
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
