"""Start of this client, which opens its socket before it submits, and checks the workflow."""

import sys

from invokeai_py_client import InvokeAIClient, WorkflowDefinition

with InvokeAIClient.from_url(sys.argv[1]) as client:
    client.workflow_repo.create_workflow(WorkflowDefinition.from_file(sys.argv[2])).submit_sync()
