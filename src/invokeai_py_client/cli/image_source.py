"""The argument IMAGE of `reproduce` and `recall`: a file, an image on the server, or a row of a batch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invokeai_py_client.cli.failures import Failure
from invokeai_py_client.cli.session import Session


@dataclass(frozen=True)
class SourceImage:
    """An image, with what InvokeAI has written into it.

    `name` is what the server may know it by.
    """

    name: str
    content: bytes
    texts: Mapping[str, str]

    def json(self, what: str) -> Mapping[str, Any]:
        """Return its `workflow`, `graph` or `metadata`; nothing if it has none, or if that cannot be read."""
        try:
            found = json.loads(self.texts.get(what, "{}"))
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, Mapping) else {}


def load_image(session: Session, image: str, row: str | None = None) -> SourceImage:
    """Load an image.

    Args:
        session: of the command.
        image: the path of a PNG, the name of an image on the server, or the folder of a batch.
        row: of the folder: the row's index, or the beginning of its id.

    Raises:
        Failure: there is no such image, or no such row.
        WorkflowFileError: it is not a PNG.
        InvokeAIError: as any request.
    """
    from invokeai_py_client.errors import NotFoundError
    from invokeai_py_client.workflow.embedded import embedded_texts

    file: Path | None = Path(image)
    if Path(image).is_dir():
        file, image = _image_of_row(Path(image), row)
    elif row is not None:
        raise Failure("usage", f"--row needs the folder of a batch, and {image!r} is none.", "Leave out --row.")
    if file is not None and file.is_file():
        content = file.read_bytes()
    else:
        try:
            content = session.client.image_repo.get_image_bytes(image)
        except NotFoundError as error:
            raise Failure(
                "not_found",
                f"There is neither a file nor an image on the server named {image!r}.",
                "Give the path of a PNG, or a name that the command images list shows.",
            ) from error
    return SourceImage(Path(image).name, content, embedded_texts(content, repr(image)))


def _image_of_row(folder: Path, row: str | None) -> tuple[Path | None, str]:
    """Return the first file of a row and its name; if it has no file, None and the name of its first image."""
    from invokeai_py_client.batch.manifest import rows_in

    try:
        rows = rows_in(folder)
    except OSError as error:
        raise Failure("bad_input", f"{str(folder)!r} is not the folder of a batch: {error}.") from error
    if row is None:
        raise Failure("usage", f"{str(folder)!r} is the folder of a batch.", "Name one of its rows with --row.")
    exact = [one for one in rows if str(one.index) == row]
    fitting = exact or [one for one in rows if one.row_id.startswith(row)]
    if len(fitting) > 1:
        choices = [one.row_id for one in fitting]
        raise Failure(
            "ambiguous", f"{len(fitting)} rows begin with {row!r}.", "Give more of the id.", {"choices": choices}
        )
    if not fitting:
        raise Failure("not_found", f"No row of {str(folder)!r} has ended as {row!r}.", "Rows are counted from 0.")
    for file in fitting[0].files:
        # A manifest from elsewhere must not name files outside of its folder.
        if file.path.resolve().is_relative_to(folder.resolve()) and file.path.is_file():
            return file.path, file.path.name
    if not fitting[0].images:
        raise Failure("not_found", f"The row {row!r} has no image.", "Take another row, or run it again.")
    return None, fitting[0].images[0]
