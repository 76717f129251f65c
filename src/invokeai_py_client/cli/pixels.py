"""Whether two images have equal pixels, and how they differ."""

from __future__ import annotations

import io
from typing import Any


def difference_of(one: bytes, other: bytes) -> dict[str, Any] | None:
    """Compare the pixels of two images; metadata do not count.

    Returns:
        None if they are equal. Else `sizes`, or for images of one size how many `pixels` differ `of` all, and by how
        much in the channel that differs most: the `largest` difference, and the `mean` over all pixels (of 255).
    """
    import PIL.Image
    import PIL.ImageChops

    with PIL.Image.open(io.BytesIO(one)) as first, PIL.Image.open(io.BytesIO(other)) as second:
        if first.size != second.size:
            return {"sizes": [[*first.size], [*second.size]]}
        # An image without transparency equals one that is wholly opaque.
        difference = PIL.ImageChops.difference(first.convert("RGBA"), second.convert("RGBA"))
    bands = difference.split()
    worst = bands[0]
    for band in bands[1:]:
        worst = PIL.ImageChops.lighter(worst, band)
    histogram = worst.histogram()
    total = sum(histogram)
    differing = total - histogram[0]
    if not differing:
        return None
    return {
        "pixels": differing,
        "of": total,
        "largest": max(value for value, count in enumerate(histogram) if count),
        "mean": round(sum(value * count for value, count in enumerate(histogram)) / total, 4),
    }


def sentence_of(difference: dict[str, Any]) -> str:
    """Return a difference as a person reads it."""
    if "sizes" in difference:
        (width, height), (new_width, new_height) = difference["sizes"]
        return f"It is {new_width} x {new_height}, and was {width} x {height}."
    share = 100 * difference["pixels"] / difference["of"]
    return (
        f"{difference['pixels']:,} of {difference['of']:,} pixels differ ({share:.3g} %), by at most "
        f"{difference['largest']} of 255, and by {difference['mean']:g} on average."
    )
