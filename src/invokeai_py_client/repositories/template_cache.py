"""Node templates from a server's OpenAPI document, cached on disk so that a document is parsed only once."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from pathlib import Path

from invokeai_py_client.errors import NotInvokeAIError
from invokeai_py_client.files import cache_folder, read_regular_file, whole_file
from invokeai_py_client.workflow.templates import NodeTemplates

logger = logging.getLogger("invokeai_py_client.workflow")

_MAX_ENTRY_BYTES = 64 * 1024 * 1024


def load_templates(version: str, document: bytes, url: str) -> NodeTemplates:
    """Return the templates in an OpenAPI document, from the cache if the same document was parsed before.

    If the cache is missing, unusable or damaged, the document is parsed again.

    Args:
        version: the server's version, for the name of the cache entry.
        document: the OpenAPI document.
        url: the server's address, for errors.

    Raises:
        NotInvokeAIError: the document does not describe the nodes of an InvokeAI server.
    """
    entry = _entry(version, document)
    cached = None if entry is None else _read(entry)
    if cached is not None:
        return cached
    try:
        templates = NodeTemplates.from_openapi(json.loads(document))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise NotInvokeAIError(
            f"{url}/openapi.json does not describe the nodes of an InvokeAI server: {error}.",
            url=url,
            method="GET",
            hint="Is this the address of an InvokeAI server, with its sub-path if it has one?",
        ) from error
    if entry is not None:
        _write(entry, templates)
    return templates


def _entry(version: str, document: bytes) -> Path | None:
    folder = cache_folder()
    if folder is None:
        logger.info("no home directory, so node templates are not cached; set INVOKEAI_CLIENT_CACHE to a folder")
        return None
    name = re.sub(r"[^\w.+-]", "_", version)[:50]
    # Earlier versions of the client keep entries of the same names, without checksums, in "templates".
    return folder / "node-templates" / f"{name}-{hashlib.sha256(document).hexdigest()[:16]}.json"


def _read(entry: Path) -> NodeTemplates | None:
    try:
        content = read_regular_file(entry, limit=_MAX_ENTRY_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.info("the cached node templates %s cannot be read (%s); parsing the server's document", entry, error)
        return None
    checksum, _, text = content.partition(b"\n")
    try:
        # The checksum proves that a client wrote the entry, but it may have been another version.
        if checksum == _checksum(text):
            return NodeTemplates.from_lines(text)
    except ValueError:
        pass
    logger.info("the cached node templates %s are damaged or of another version; parsing the server's document", entry)
    return None


def _write(entry: Path, templates: NodeTemplates) -> None:
    text = templates.to_lines()
    try:
        with whole_file(entry) as file:
            file.write(_checksum(text) + b"\n" + text)
    except OSError as error:
        logger.info("the node templates could not be cached in %s: %s", entry, error)


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()
