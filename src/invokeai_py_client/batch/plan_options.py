"""The options of `wf.plan`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from invokeai_py_client.option_checks import at_least_one, unusable, whole

Combine = Literal["product", "zip"]
Expand = Literal["random", "all"]
OnBadRow = Literal["raise", "skip"]
Seeds = int | Sequence[int] | Literal["random"]


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The options of a plan; see `AsyncWorkflowHandle.plan`."""

    combine: Combine = "product"
    seeds: Seeds | None = None
    sample: int | None = None
    sample_seed: int | None = None
    dynamic_prompts: Expand | None = None
    wildcards: Path | None = None
    random_seed: int | None = None
    override_edge: bool = False
    on_bad_row: OnBadRow = "raise"

    def checked(self) -> PlanOptions:
        """Return the options after validation.

        Raises:
            SettingsError: an option has an invalid value.
        """
        for name, known in (
            ("combine", ("product", "zip")),
            ("dynamic_prompts", ("random", "all", None)),
            ("on_bad_row", ("raise", "skip")),
        ):
            if getattr(self, name) not in known:
                raise unusable(name, getattr(self, name), " or ".join(map(repr, known)))
        if self.sample is not None:
            at_least_one("sample", self.sample)
        for name in ("sample_seed", "random_seed"):
            if getattr(self, name) is not None and whole(getattr(self, name)) is None:
                raise unusable(name, getattr(self, name), "an integer")
        if self.wildcards is not None and not os.path.isdir(self.wildcards):
            raise unusable("wildcards", str(self.wildcards), "the path of a folder")
        return self

    @property
    def expand(self) -> Expand | None:
        """How dynamic prompts are expanded: by default `random` if there are wildcards."""
        return self.dynamic_prompts or ("random" if self.wildcards is not None else None)
