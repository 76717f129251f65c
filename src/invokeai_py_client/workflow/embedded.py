"""Reads the workflow, the graph and the metadata that the server writes into PNG files."""

from __future__ import annotations

import io

from invokeai_py_client.errors import InvokeAIError, WorkflowFileError

_PREFIX = "invokeai_"


def embedded_workflow(content: bytes, source: str) -> str:
    """Return the JSON text of the workflow in a PNG.

    Args:
        content: the file.
        source: the name for it in error messages.

    Raises:
        WorkflowFileError: it is not a PNG, or does not contain a workflow.
        InvokeAIError: Pillow is not installed.
    """
    text = embedded_texts(content, source).get("workflow")
    if text is None:
        raise WorkflowFileError(
            f"{source} does not contain a workflow.",
            source=source,
            hint="InvokeAI only writes one into images that a workflow created, and image editors remove it.",
        )
    return text


def embedded_texts(content: bytes, source: str) -> dict[str, str]:
    """Return the JSON texts that InvokeAI stored in a PNG: those of `workflow`, `graph` and `metadata` that it has.

    Args:
        content: the file.
        source: the name for it in error messages.

    Raises:
        WorkflowFileError: it is not a PNG.
        InvokeAIError: Pillow is not installed.
    """
    try:
        import PIL.Image
    except ImportError as error:
        raise InvokeAIError(
            "Reading the workflow in an image needs Pillow, which is not installed.",
            hint='Install it with: pip install "invokeai-py-client[images]"',
        ) from error
    try:
        with PIL.Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            image.load()
            found = dict(image.info)
    except (OSError, ValueError, SyntaxError, EOFError, PIL.Image.DecompressionBombError) as error:
        raise WorkflowFileError(
            f"{source} is not a complete PNG file: {error}.",
            source=source,
            hint="Pass an unmodified image from InvokeAI.",
        ) from error
    return {
        str(name).removeprefix(_PREFIX): text
        for name, text in found.items()
        if isinstance(text, str) and str(name).startswith(_PREFIX)
    }
