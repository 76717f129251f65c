"""Types for the values of inputs. Those for images, videos and boards are in `repositories/arguments.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class HasModelIdentity(Protocol):
    """A record of a model."""

    @property
    def key(self) -> str:
        """The key."""
        ...

    @property
    def hash(self) -> str:
        """The hash of its content."""
        ...

    @property
    def name(self) -> str:
        """The name."""
        ...

    @property
    def base(self) -> str:
        """The base model, such as `sdxl`."""
        ...

    @property
    def type(self) -> str:
        """The model type, such as `main`."""
        ...


ModelLike = str | HasModelIdentity | Mapping[str, Any]
"""An installed model: its key, hash or name, its record, or a mapping with key, hash, name, base and type.

An input for LoRAs also accepts a mapping with `lora`, which is a model, and `weight`.
"""

ColorLike = str | Sequence[int] | Mapping[str, int]
"""A color: "#rrggbb", "#rrggbbaa", three or four numbers of 0 to 255, or a mapping with r, g, b and a."""

BoxLike = Sequence[int] | Mapping[str, Any]
"""A box in pixels: (x_min, y_min, x_max, y_max), or a mapping with these."""
