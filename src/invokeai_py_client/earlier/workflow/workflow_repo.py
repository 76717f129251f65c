"""`invokeai_py_client.workflow.workflow_repo` of client 1.1."""

from invokeai_py_client import Workflows as WorkflowRepository

__all__ = ["WorkflowRepository"]
