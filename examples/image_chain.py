"""A chain: draw an image, and give it to a second workflow, which works on it. Nothing is downloaded in between.

    python examples/image_chain.py workflow.json photo-effects.json "a tiger cub" "an owl"

The first workflow has an input "Positive Prompt", the second one an input "Image". While one prompt is in the second
workflow, the next is in the first.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from invokeai_py_client import InvokeAIClient, OutputMapping, WorkflowDefinition, WorkflowHandle, WorkflowPipeline


def set_prompt(wf: WorkflowHandle, prompt: str) -> None:
    """Prepare the first workflow."""
    wf.sync_dnn_model()
    wf.inputs["Positive Prompt"].value = prompt


def set_image(wf: WorkflowHandle, made: Sequence[OutputMapping]) -> None:
    """Prepare the second workflow with what the first has made."""
    wf.sync_dnn_model()
    wf.inputs["Image"].value = made[0].image_names[0]


def main(draw: str, work: str, *prompts: str) -> None:
    """Run both workflows for each prompt."""
    with InvokeAIClient() as client:
        pipeline = WorkflowPipeline(client)
        pipeline.add_stage(WorkflowDefinition.from_file(draw), set_prompt)
        pipeline.add_stage(WorkflowDefinition.from_file(work), set_image)
        for prompt, result in zip(prompts, pipeline.execute_many(prompts), strict=True):
            if result.error is not None:
                print(f"{prompt}: {result.error}", file=sys.stderr)
            else:
                for mapping in result.output or ():
                    for name in mapping.image_names:
                        print(client.image_repo.download_image(name, "out/"))


if __name__ == "__main__":
    main(*sys.argv[1:])
