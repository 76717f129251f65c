"""Start of invokeai-py-client 1.1.1, which opens no socket when it submits."""

import sys

from invokeai_py_client import InvokeAIClient
from invokeai_py_client.workflow import WorkflowDefinition

client = InvokeAIClient.from_url(sys.argv[1])
client.workflow_repo.create_workflow(WorkflowDefinition.from_file(sys.argv[2])).submit_sync()
