"""A nightly job: run each line of a CSV file, and keep a log. Made for cron:

    0 2 * * *  cd /home/me/prompts && python nightly.py workflow.json prompts.csv results

The first line of the file has the labels of the inputs. Each night runs the lines that are new, that failed, or that an
interrupted night has left. The exit code is 1 if a line has failed.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.errors import InvokeAIError


def main(workflow: str, table: str, folder: str) -> int:
    """Run what is new in the table; return the number of rows that have failed."""
    with InvokeAIClient() as client:
        client.wait_until_ready(timeout=600)
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_file(workflow))
        wf.sync_dnn_model()
        plan = wf.plan(table, on_bad_row="skip")
        # Other users go first: a part of the batch is sent when nothing else is pending.
        batch = plan.submit(folder=folder, priority="low", report=True)
        for row in batch.as_completed():
            logging.info("row %d: %s %s", row.index, row.status, row.error or "")
        batch.to_csv(Path(folder) / "results.csv")
        for failure in batch.failures():
            logging.error("%s", failure)
        logging.info("done: %s", batch.counts)
        return batch.counts["failed"]


if __name__ == "__main__":
    logging.basicConfig(filename="nightly.log", format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    try:
        sys.exit(1 if main(*sys.argv[1:]) else 0)
    except InvokeAIError as error:
        logging.critical("%s", error)
        sys.exit(1)
