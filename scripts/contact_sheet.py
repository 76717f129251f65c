"""Make the README's picture, `docs/contact-sheet.jpg`: a sweep of image nodes over a photograph, on a real server.

Run as `python -m scripts.contact_sheet`. The photograph is that of `tests/data/photograph`. The page of the sweep stays
in `out/contact-sheet`.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from tests.documents import HUE_AND_BLUR

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.local import LocalServer

ROOT = Path(__file__).parents[1]
PHOTOGRAPH = ROOT / "tests" / "data" / "photograph" / "coffee.jpg"
FOLDER = ROOT / "out" / "contact-sheet"


def main() -> None:
    """Run the sweep and write the picture."""
    with LocalServer() as server, InvokeAIClient.from_url(server.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(HUE_AND_BLUR))
        wf.inputs["Image"].value = PHOTOGRAPH
        wf.sweep({"Hue": range(0, 360, 60), "Radius": [0, 2, 5, 10]}, FOLDER, overwrite=True).wait(timeout=600)
    with Image.open(FOLDER / "contact_sheet.png") as image:
        image.thumbnail((1400, 1400))
        image.save(ROOT / "docs" / "contact-sheet.jpg", quality=85, optimize=True)


if __name__ == "__main__":
    main()
