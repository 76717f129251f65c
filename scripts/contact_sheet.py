"""Make the README's picture, `docs/contact-sheet.jpg`: a sweep of image nodes over a photograph, on a real server.

Run as `python -m scripts.contact_sheet`. The photograph is that of `tests/data/photograph`. The page of the sweep stays
in `out/contact-sheet`.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from tests.documents import edge, node

from invokeai_py_client import InvokeAIClient, ReportPage, WorkflowDefinition, contact_sheet
from invokeai_py_client.local import LocalServer

ROOT = Path(__file__).parents[1]
PHOTOGRAPH = ROOT / "tests" / "data" / "photograph" / "coffee.jpg"
FOLDER = ROOT / "out" / "contact-sheet"
TITLE = "Hue and blur of a photograph: 24 runs"

WORKFLOW = {
    "name": "hue-and-blur",
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
        plan = wf.plan({"Hue": range(0, 360, 60), "Radius": [0, 2, 5, 10]})
        batch = plan.submit(FOLDER, overwrite=True)
        batch.wait(timeout=600)
        rows = batch.to_rows()
        page = ReportPage(FOLDER, title=TITLE, axes=plan.axes, total=len(plan), workflow_name="hue-and-blur")
        page.write()
        for row in rows:
            page.add(row)
        page.finish()
        (sheet,) = contact_sheet(FOLDER, axes=plan.axes, rows=rows, title=TITLE)
    with Image.open(sheet) as image:
        image.thumbnail((1400, 1400))
        image.save(ROOT / "docs" / "contact-sheet.jpg", quality=85, optimize=True)


if __name__ == "__main__":
    main()
