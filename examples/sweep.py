"""A sweep with a page: every combination of two prompts, two numbers of steps and two seeds, side by side.

    python examples/sweep.py workflow.json sweep

The page `sweep/index.html` shows the images as they finish. Run the script again after Ctrl-C, a crash or a change of
the values: it runs only what is missing.
"""

from __future__ import annotations

import sys

from invokeai_py_client import BatchProgress, InvokeAIClient, WorkflowDefinition

VALUES = {"Positive Prompt": ["a tiger cub", "an owl"], "Steps": [2, 4]}


def show(progress: BatchProgress) -> None:
    """Print the progress of the sweep."""
    left = "" if progress.eta is None else f", {progress.eta:.0f} s left"
    print(f"{progress.counts['completed']} of {progress.total} completed{left}", file=sys.stderr)


def main(workflow: str, folder: str) -> None:
    """Run the sweep."""
    with InvokeAIClient() as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(workflow))
        wf.sync_dnn_model()
        batch = wf.sweep(VALUES, folder=folder, seeds=2)
        if sys.stdout.isatty():
            batch.open_report()
        batch.wait(progress_callback=show)
        for failure in batch.failures():
            print(failure, file=sys.stderr)
        print(f"{folder}/index.html")


if __name__ == "__main__":
    main(*sys.argv[1:])
