"""Compare a graph and batch data with what InvokeAI's own web UI sends for the same workflow.

Each line of cases.jsonl.gz is {"case", "workflow", "expected": {"graph": {"nodes", "edges"}, "data", "inputs"}}.
"workflow" is a workflow file as a user would load it; "expected" was produced by the web UI's own code (6.14), with node
templates read from a 6.14.2 server's /openapi.json, no auto-add board, and every model, image and board accessible.
"inputs" is the order of [node_id, field_name] in its form.
"""

import gzip
import json
from pathlib import Path


def cases(path=Path(__file__).with_name("cases.jsonl.gz")):
    """Yield the cases, one dict each."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def canonical(graph, data):
    """A form in which two payloads are equal exactly when the server would run the same thing."""
    nodes = {
        node_id: {key: value for key, value in sorted(node.items()) if value is not None}
        for node_id, node in sorted(graph["nodes"].items())
    }
    edges = sorted(
        (e["source"]["node_id"], e["source"]["field"], e["destination"]["node_id"], e["destination"]["field"])
        for e in graph["edges"]
    )
    groups = sorted(
        (sorted(([d["node_path"], d["field_name"], d["items"]] for d in group), key=json.dumps) for group in data or []),
        key=json.dumps,
    )
    return json.loads(json.dumps({"nodes": nodes, "edges": edges, "data": groups}))


def differences(got, want, at=""):
    """The paths at which two canonical payloads differ, a line each."""
    if isinstance(got, dict) and isinstance(want, dict):
        return [
            line
            for key in sorted({*got, *want})
            for line in (
                [f"{at}/{key}: missing"]
                if key not in got
                else [f"{at}/{key}: not expected ({got[key]!r})"]
                if key not in want
                else differences(got[key], want[key], f"{at}/{key}")
            )
        ]
    return [] if got == want else [f"{at}: {got!r} instead of {want!r}"]
