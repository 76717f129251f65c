"""Make the pictures of README and documentation: a sweep of image nodes over a photograph, on a real server.

Run as `python -m scripts.contact_sheet`. It writes `docs/contact-sheet.jpg`, and into `docs/example-sweep` the rows and
small images of the sweep, of which `make docs` makes the example page. The photograph is that of
`tests/data/photograph`. The page of the sweep stays in `out/contact-sheet`.
"""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image
from tests.documents import HUE_AND_BLUR

from invokeai_py_client import BatchRow, InvokeAIClient, WorkflowDefinition
from invokeai_py_client.local import LocalServer

ROOT = Path(__file__).parents[1]
PHOTOGRAPH = ROOT / "tests" / "data" / "photograph" / "coffee.jpg"
FOLDER = ROOT / "out" / "contact-sheet"
EXAMPLE = ROOT / "docs" / "example-sweep"


def main() -> None:
    """Run the sweep and write the pictures."""
    with LocalServer() as server, InvokeAIClient.from_url(server.url) as client:
        wf = client.workflow_repo.create_workflow(WorkflowDefinition.from_dict(HUE_AND_BLUR))
        wf.inputs["Image"].value = PHOTOGRAPH
        values = {"Hue": range(0, 360, 60), "Radius": [0, 2, 5, 10]}
        rows = wf.sweep(values, FOLDER, overwrite=True).results(timeout=600)
    with Image.open(FOLDER / "contact_sheet.png") as image:
        image.thumbnail((1400, 1400))
        image.save(ROOT / "docs" / "contact-sheet.jpg", quality=85, optimize=True)
    write_example(rows)


def write_example(rows: list[BatchRow]) -> None:
    """Write what the example page shows: small images, and a line for each row as in `manifest.jsonl`."""
    EXAMPLE.mkdir(exist_ok=True)
    lines = []
    for row in rows:
        name = f"{row.index:05d}.jpg"
        with Image.open(row.files[0].path) as image:
            image.thumbnail((320, 320))
            image.convert("RGB").save(EXAMPLE / name, quality=80, optimize=True)
        shown = {"index": row.index, "row_id": row.row_id, "values": row.values, "seed": row.seed}
        shown |= {"status": row.status, "error": row.error, "attempts": row.attempts}
        shown |= {"started_at": row.started_at, "completed_at": row.completed_at, "server": "", "item_id": row.item_id}
        lines.append(json.dumps({**shown, "files": [{"path": name, "node": row.files[0].node}]}))
    (EXAMPLE / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
