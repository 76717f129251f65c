"""`invokeai_py_client.workflow.workflow_model` of client 1.1."""

from invokeai_py_client import WorkflowDefinition

__all__ = ["WorkflowDefinition"]
