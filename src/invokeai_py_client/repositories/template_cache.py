"""Node templates from a server's OpenAPI document, kept on disk so that a document is parsed once."""

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
    """Return the templates in an OpenAPI document, from the cache if this very document was parsed before.

    A cache that is missing, unusable or damaged costs the time to parse the document, and nothing else.

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
        logger.info("no home directory, so node templates are not cached; INVOKEAI_CLIENT_CACHE can name a folder")
        return None
    name = re.sub(r"[^\w.+-]", "_", version)[:50]
    # Not "templates", where earlier clients keep entries without a checksum under the same names.
    return folder / "node-templates" / f"{name}-{hashlib.sha256(document).hexdigest()[:16]}.json"


def _read(entry: Path) -> NodeTemplates | None:
    try:
        content = read_regular_file(entry, limit=_MAX_ENTRY_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.info("the node templates in %s cannot be read (%s); reading the server's", entry, error)
        return None
    checksum, _, text = content.partition(b"\n")
    try:
        # An entry with its checksum was written by a client, though perhaps by another version of it.
        if checksum == _checksum(text):
            return NodeTemplates.from_lines(text)
    except ValueError:
        pass
    logger.info("the node templates in %s are damaged or of another version; reading the server's", entry)
    return None


def _write(entry: Path, templates: NodeTemplates) -> None:
    text = templates.to_lines()
    try:
        with whole_file(entry) as file:
            file.write(_checksum(text) + b"\n" + text)
    except OSError as error:
        logger.info("the node templates could not be kept in %s: %s", entry, error)


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()
