"""Make the README's picture, `docs/contact-sheet.jpg`: a sweep of image nodes over a photograph, on a real server.

Run as `python -m scripts.contact_sheet`. The photograph is that of `tests/data/photograph`. The page of the sweep stays
in `out/contact-sheet`.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from tests.documents import edge, node

from invokeai_py_client import InvokeAIClient, WorkflowDefinition
from invokeai_py_client.local import LocalServer

ROOT = Path(__file__).parents[1]
PHOTOGRAPH = ROOT / "tests" / "data" / "photograph" / "coffee.jpg"
FOLDER = ROOT / "out" / "contact-sheet"

WORKFLOW = {
    "name": "Hue and blur of a photograph",
    "meta": {"version": "3.0.0", "category": "user"},
    "exposedFields": [
        {"nodeId": "hue", "fieldName": "image"},
        {"nodeId": "hue", "fieldName": "hue"},
        {"nodeId": "blur", "fieldName": "radius"},
    ],
    "nodes": [
        node("hue", "img_hue_adjust", "1.2.2", image=None, hue=0),
        node("blur", "img_blur", "1.2.2", intermediate=False, radius=0.0, blur_type="gaussian", board="auto"),
    ],
    "edges": [edge("hue", "image", "blur", "image")],
}


def main() -> None:
    """Run the sweep and write the picture."""
    with LocalServer() as server, InvokeAIClient.from_url(server.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(WORKFLOW))
        wf.inputs["Image"].value = PHOTOGRAPH
        wf.sweep({"Hue": range(0, 360, 60), "Radius": [0, 2, 5, 10]}, FOLDER, overwrite=True).wait(timeout=600)
    with Image.open(FOLDER / "contact_sheet.png") as image:
        image.thumbnail((1400, 1400))
        image.save(ROOT / "docs" / "contact-sheet.jpg", quality=85, optimize=True)


if __name__ == "__main__":
    main()
