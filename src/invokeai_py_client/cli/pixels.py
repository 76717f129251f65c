"""Whether two images have equal pixels, and how they differ."""

from __future__ import annotations

import functools
import io
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image


def difference_of(one: bytes, other: bytes) -> dict[str, Any] | None:
    """Compare the pixels of two images; metadata do not count.

    Returns:
        None if they are equal. Else `sizes`, or for images of one size how many `pixels` differ `of` all, and by how
        much in the channel that differs most: the `largest` difference, and the `mean` over all pixels (both of 255).
    """
    import PIL.Image
    import PIL.ImageChops

    with PIL.Image.open(io.BytesIO(one)) as first, PIL.Image.open(io.BytesIO(other)) as second:
        if first.size != second.size:
            return {"sizes": [[*first.size], [*second.size]]}
        if first.mode == second.mode == "I;16":
            histogram = _histogram_of_16_bits(first, second)
        else:
            # An image without transparency equals one that is wholly opaque.
            bands = PIL.ImageChops.difference(first.convert("RGBA"), second.convert("RGBA")).split()
            histogram = Counter(dict(enumerate(functools.reduce(PIL.ImageChops.lighter, bands).histogram())))
    total = sum(histogram.values())
    differing = total - histogram[0]
    if not differing:
        return None
    return {
        "pixels": differing,
        "of": total,
        "largest": max(value for value, count in histogram.items() if count),
        "mean": round(sum(value * count for value, count in histogram.items()) / total, 4),
    }


def _histogram_of_16_bits(one: Image, other: Image) -> Counter[float]:
    """Count the differences of two images in shades of grey, scaled to 255. To 8 bits, Pillow clips such images."""
    pixels, others = (memoryview(image.convert("I").tobytes()).cast("i") for image in (one, other))
    return Counter(round(abs(pixel - another) / 257, 4) for pixel, another in zip(pixels, others, strict=True))


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
