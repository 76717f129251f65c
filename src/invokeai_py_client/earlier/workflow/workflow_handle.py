"""`invokeai_py_client.workflow.workflow_handle` of client 1.1."""

from invokeai_py_client import OutputMapping, WorkflowHandle
from invokeai_py_client import WorkflowInput as IvkWorkflowInput
from invokeai_py_client import WorkflowInput as IvkWorkflowOutput

__all__ = ["IvkWorkflowInput", "IvkWorkflowOutput", "OutputMapping", "WorkflowHandle"]
