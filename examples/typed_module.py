"""Typed inputs: turn the hues of a photograph, with the module `photo_effects.py` that was generated for the workflow.

    python examples/typed_module.py photo.png out

An editor completes `Inputs(...)`, and a type checker finds a misspelt input, or a text for a number, before the script
runs. When the form of the workflow has changed, the module says so, and is generated again by

    invokeai-client codegen examples/photo-effects.json --out examples/photo_effects.py
"""

from __future__ import annotations

import sys
from pathlib import Path

from photo_effects import Inputs, plan, run

from invokeai_py_client import InvokeAIClient


def main(photo: str, folder: str) -> None:
    """Blur the photograph once, then turn it into three hues."""
    inputs = Inputs(image=Path(photo), radius=4.0)
    with InvokeAIClient() as client:
        for image in run(client, inputs, timeout=300).images:
            print(image.save(folder))
        batch = plan(client, {"hue": range(60, 360, 120)}, inputs).submit(folder=Path(folder) / "hues")
        for row in batch.results():
            print(row.values["Hue"], row.status)


if __name__ == "__main__":
    main(*sys.argv[1:])
