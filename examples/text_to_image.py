"""Text to image: run a workflow with a prompt, show the progress, save the images.

    python examples/text_to_image.py workflow.json "a tiger cub in the snow" out

The server is that of INVOKEAI_URL, else port 9090 of this machine. The workflow's form has an input "Positive Prompt".
"""

from __future__ import annotations

import sys

from invokeai_py_client import InvokeAIClient, QueueItem, WorkflowDefinition
from invokeai_py_client.errors import InvokeAIError


def show(item: QueueItem) -> None:
    """Draw a progress bar."""
    done = int(item.progress_percentage // 5)
    print(f"\r[{'#' * done:20}] {item.status:11}", end="", file=sys.stderr)


def main(workflow: str, prompt: str, folder: str) -> None:
    """Run the workflow once."""
    with InvokeAIClient() as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(workflow))
        # The file names the models of the server on which it was made.
        for missing in wf.sync_dnn_model().unbound:
            print(f"No model for {missing.place}: {missing.why}", file=sys.stderr)
        wf.inputs["Positive Prompt"].value = prompt

        run = wf.submit_sync()
        run.wait(progress_callback=show)
        print(file=sys.stderr)
        # Raises the error of the node if the run has failed.
        run.result()
        for image in run.images:
            print(image.save(folder))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except InvokeAIError as error:
        sys.exit(str(error))
