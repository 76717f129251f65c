"""Checks a parsed workflow document and migrates it to the current format (`migrations.ts`, `types/workflow.ts`).

Faults that would change what runs are errors, as in the web UI. Other faults, such as a missing flag or label, are only
logged: the web UI rejects such files, but they may have been written by hand.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn

from invokeai_py_client.errors import WorkflowFileError, WorkflowVersionError
from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.form import field_identifier, malformed_elements
from invokeai_py_client.workflow.value_readers import trimmed

logger = logging.getLogger("invokeai_py_client.workflow")

_OLD_VERSIONS = ("1.0.0", "2.0.0")
_CURRENT, _WITH_CONNECTORS = "3.0.0", "4.0.0"
"""Format 4.0.0 is 3.0.0 with connectors. Web UIs before 6.13 do not load it."""
KNOWN_VERSIONS = (*_OLD_VERSIONS, _CURRENT, _WITH_CONNECTORS)

_TEXTS = ("name", "author", "description", "version", "contact", "tags", "notes")
_FLAGS = {"label": str, "notes": str, "isOpen": bool, "isIntermediate": bool, "useCache": bool, "version": str}
"""Parts of a node that the web UI requires but this client does not."""

_KINDS = ("invocation", "connector", "notes", "current_image")
_ONLY_ONE_OF = "workflow_return"


def checked(document: Any, source: str | None) -> dict[str, Any]:
    """Check a parsed document and migrate it in place, to version 4.0.0 if it has connectors, else to 3.0.0.

    Args:
        document: the parsed JSON; it is modified.
        source: the name for it in errors and warnings.

    Returns:
        The document.

    Raises:
        WorkflowFileError: it is not a workflow.
        WorkflowVersionError: its format version is unknown.
    """
    return _Checker(source).check(document)


class _Checker:
    """Checks one document, and collects the faults that are only logged."""

    def __init__(self, source: str | None) -> None:
        self._source = source
        self._forgiven: Counter[str] = Counter()

    def check(self, document: Any) -> dict[str, Any]:
        if not isinstance(document, dict):
            self._refuse("it is not a JSON object")
        version = self._migrate(document)
        for name in _TEXTS:
            # The server requires all of them; files written by hand may lack some.
            if not isinstance(document.setdefault(name, ""), str):
                self._refuse(f"{name!r} is not a string")
        for name in ("nodes", "edges"):
            if version == "1.0.0":
                document.setdefault(name, [])
            if not isinstance(document.get(name), list):
                self._refuse(f"{name!r} is not a list")
        if version in _OLD_VERSIONS:
            # This format did not have forms.
            document.pop("form", None)
        document["exposedFields"] = self._exposed_fields(document.get("exposedFields"))
        self._check_nodes(document["nodes"], version)
        has_connectors = any(node["type"] == "connector" for node in document["nodes"])
        document["meta"]["version"] = _WITH_CONNECTORS if has_connectors else _CURRENT
        for place, edge in enumerate(document["edges"]):
            self._check_edge(f"edges[{place}]", edge)
        if not isinstance(document.get("form", {}), dict | None):
            # The server does not accept such a form.
            del document["form"]
            logger.warning("%s: its form is ignored, as in the web UI: it is not an object", self._name_it())
        for element_id in malformed_elements(document.get("form")):
            logger.warning(
                "%s: its form is ignored, as in the web UI: the element %r is malformed", self._name_it(), element_id
            )
        self._warn()
        return document

    def _migrate(self, document: dict[str, Any]) -> str:
        meta = document.get("meta")
        version = meta.get("version") if isinstance(meta, dict) else None
        if not isinstance(meta, dict) or not isinstance(version, str):
            self._refuse("it has no meta.version")
        if version not in KNOWN_VERSIONS:
            raise WorkflowVersionError(
                f"{self._name_it()} has format version {version!r}; this client supports {', '.join(KNOWN_VERSIONS)}.",
                version=version,
                source=self._source,
                hint="Update the client, or export the workflow from an older web UI.",
            )
        if version == "1.0.0":
            # Format 1 has no categories. Only workflows that are included with the server are `default`.
            meta["category"] = "user"
        if meta.setdefault("category", "user") not in ("user", "default"):
            self._forgive("meta.category is neither 'user' nor 'default'")
            # The server does not accept other categories.
            meta["category"] = "user"
        return version

    def _exposed_fields(self, fields: Any) -> list[dict[str, str]]:
        if fields is None:
            return []
        if not isinstance(fields, list):
            self._refuse("'exposedFields' is not a list")
        read = [field_identifier(field) for field in fields]
        for _ in range(read.count(UNSET)):
            self._forgive("an entry of 'exposedFields' does not name a node and a field")
        return [field for field in read if field is not UNSET]

    def _check_nodes(self, nodes: list[Any], version: str) -> None:
        for place, node in enumerate(nodes):
            where = f"nodes[{place}]"
            if not isinstance(node, dict):
                self._refuse(f"{where} is not an object")
            node["id"] = self._name(where, node, "id")
            kind = self._text(where, node, "type")
            if kind not in _KINDS:
                self._forgive(f"a node has the unknown kind {kind!r}")
            if not isinstance(node.get("data"), dict):
                self._refuse(f"{where}.data is not an object")
            if kind == "invocation":
                self._check_invocation(f"{where}.data", node["data"], version)
        returns = [
            node["id"] for node in nodes if node["type"] == "invocation" and node["data"]["type"] == _ONLY_ONE_OF
        ]
        if len(returns) > 1:
            self._refuse(f"it has {len(returns)} {_ONLY_ONE_OF!r} nodes ({', '.join(returns)}), and may have one")

    def _check_invocation(self, where: str, data: dict[str, Any], version: str) -> None:
        data["type"] = self._name(where, data, "type")
        for name, wanted in _FLAGS.items():
            if not isinstance(data.get(name), wanted) and not (version == "1.0.0" and name in ("useCache", "version")):
                self._forgive(f"a node has no {name!r}, or not a {wanted.__name__}")
        inputs = data.setdefault("inputs", {})
        if not isinstance(inputs, dict):
            self._refuse(f"{where}.inputs is not an object")
        for name, given in inputs.items():
            if not isinstance(given, dict):
                self._refuse(f"{where}.inputs.{name} is not an object")
            if version in _OLD_VERSIONS:
                self._read_old(f"{where}.inputs.{name}", given, version)
        if version in _OLD_VERSIONS:
            # This format did not have calls of other workflows.
            data.pop("dynamicInputTemplates", None)
        if version == "1.0.0" and isinstance(data.get("outputs"), dict):
            from invokeai_py_client.workflow.old_formats import FORMAT_1_TYPES, declared_type

            for name, output in data["outputs"].items():
                declared = declared_type(output) if isinstance(output, dict) else None
                if declared is not None and declared not in FORMAT_1_TYPES:
                    self._refuse(f"{where}.outputs.{name} has the type {declared!r}, which format 1 does not have")

    def _read_old(self, where: str, given: dict[str, Any], version: str) -> None:
        """Read the value of an input of format 1 or 2 by the type that the file declares for it."""
        from invokeai_py_client.workflow import old_formats

        declared = old_formats.declared_type(given)
        if declared is None:
            self._forgive(f"an input of format {version} does not declare its type")
            return
        if version == "1.0.0" and declared not in old_formats.FORMAT_1_TYPES:
            self._refuse(f"{where} has the type {declared!r}, which format 1 does not have")
        if "value" not in given:
            return
        try:
            read = old_formats.read_format_1 if version == "1.0.0" else old_formats.read_format_2
            value = read(given["value"], declared)
        except ValueError as error:
            self._refuse(f"{where} cannot be read: {error}")
        if value is UNSET:
            del given["value"]
        else:
            given["value"] = value

    def _check_edge(self, where: str, edge: Any) -> None:
        if not isinstance(edge, dict):
            self._refuse(f"{where} is not an object")
        kind = edge.get("type")
        if kind not in ("default", "collapsed"):
            self._forgive("an edge is neither of the type 'default' nor 'collapsed'")
        names = ["source", "target"]
        if kind in ("default", None):
            names += ["sourceHandle", "targetHandle"]
        for name in names:
            edge[name] = self._name(where, edge, name)

    def _name(self, where: str, holder: Mapping[str, Any], name: str) -> str:
        """Return a string without surrounding whitespace; a blank string is an error."""
        return trimmed(self._text(where, holder, name)) or self._refuse(f"{where}.{name} is blank")

    def _text(self, where: str, holder: Mapping[str, Any], name: str) -> str:
        value = holder.get(name)
        if not isinstance(value, str):
            self._refuse(f"{where}.{name} is not a string")
        return value

    def _forgive(self, what: str) -> None:
        self._forgiven[what] += 1

    def _warn(self) -> None:
        """Log the faults for which the web UI would reject the file."""
        if self._forgiven:
            faults = (what if count == 1 else f"{what} ({count} times)" for what, count in self._forgiven.items())
            logger.warning("%s: the web UI would not load it: %s", self._name_it(), "; ".join(faults))

    def _name_it(self) -> str:
        return self._source or "The workflow"

    def _refuse(self, why: str) -> NoReturn:
        raise WorkflowFileError(
            f"{self._name_it()} cannot be loaded: {why}.",
            source=self._source,
            hint="Export the workflow from the web UI again.",
        )
