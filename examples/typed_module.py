"""A typed module for a workflow: editors complete its inputs, and type checkers find wrong ones before anything runs.

    python examples/typed_module.py photo.png effects

The module `generated/photo_effects.py` was written for the workflow beside it, by this command:

    invokeai-client codegen examples/generated/photo_effects.json -o examples/generated/photo_effects.py
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from generated import photo_effects
from generated.photo_effects import Inputs

from invokeai_py_client import InvokeAIClient


def main(photo: str, folder: str) -> None:
    """Run the workflow once, and then for each combination of some values."""
    with InvokeAIClient() as client:
        # `Inputs(image=..., hue="90")`, or a misspelt name, is an error of the type checker.
        inputs = Inputs(image=Path(photo), hue=90)
        for image in photo_effects.run(client, inputs, timeout=300).images:
            print(image.save(folder))
        blurred = replace(inputs, radius=4)
        batch = photo_effects.plan(client, {"hue": [90, 180, 270]}, blurred).submit(folder=Path(folder) / "hues")
        for row in batch.as_completed():
            print(*(file.path for file in row.files))


if __name__ == "__main__":
    main(*sys.argv[1:])
