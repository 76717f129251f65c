"""The OpenAPI document of a real 6.14.2 server, and its node templates."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any

from invokeai_py_client.workflow.templates import NodeTemplates

OPENAPI = gzip.decompress((Path(__file__).parents[1] / "data" / "openapi-6.14.2.json.gz").read_bytes())


def document() -> dict[str, Any]:
    """Parse the document. The caller may change it."""
    parsed: dict[str, Any] = json.loads(OPENAPI)
    return parsed


@functools.cache
def node_templates() -> NodeTemplates:
    """The templates of all nodes. Read once, as that takes a while."""
    return NodeTemplates.from_openapi(document())
