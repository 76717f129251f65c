"""The names of the files in which `run` saves images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from invokeai_py_client.blocking.workflow_handle import WorkflowHandle


class ImageNames:
    """Names the files of a run, none of which is in its folder yet.

    Args:
        template: such as `tiger` or `{Positive Prompt:.40}-{seed}`: labels of inputs, `seed`, and `index`, which counts
            the images from 0. What a run does not have is left out, and equal names are numbered.
        wf: the workflow, with the values that it runs with.
        folder: where the files go.

    Raises:
        SettingsError: the template cannot be read, or names an input that is not there.
    """

    def __init__(self, template: str, wf: WorkflowHandle, folder: Path) -> None:
        from invokeai_py_client.batch.file_names import FileNames, plain_name
        from invokeai_py_client.report.axes import label_of

        taken = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        self._facts: dict[str, Any] = {
            entry.label: entry.value if isinstance(entry.value, int | float) else label_of(entry.value)
            for entry in wf.inputs
            if entry.value is not None
        }
        # A seed that is drawn for each run is not known.
        seeds = {entry.value if entry.edge is None else None for entry in wf.seed_inputs()}
        self._facts["seed"] = seeds.pop() if len(seeds) == 1 else None
        self._plain = None if "{" in template else plain_name(template)
        labels = [entry.label for entry in wf.inputs]
        self._names = FileNames("{index}" if self._plain else template, labels, taken)

    def of(self, images: Sequence[str]) -> list[str]:
        """Return the names of the files of images, which the server calls so."""
        suffixes = [PurePath(name).suffix or ".png" for name in images]
        if self._plain is not None:
            return self._names.files_of(self._plain, suffixes)
        return [
            name
            for index, suffix in enumerate(suffixes)
            for name in self._names.files_of(self._names.claim({**self._facts, "index": index}), [suffix])
        ]
