"""`Image`: the blocking class of an image, which a notebook shows."""

from __future__ import annotations

from invokeai_py_client.blocking.generated.image_methods import ImageMethods


class Image(ImageMethods):
    """One image on the server; `image.aio` is awaited.

    An image of `image_repo` or of a board has what the server knew of it when it was fetched: `image.width`, or
    `image["width"]` for this and for whatever else the server sent. Of an image of a run only the name is known, until
    `refresh` has fetched the rest.

    In a notebook, an image that is the last line of a cell is downloaded and shown.

    Example:
        >>> for image in run.images:
        ...     print(image.save("out"))
        >>> for image in client.image_repo.list_images(starred=True):
        ...     print(image.width, image.save("starred"))
    """

    # IPython calls these only where it can show such an image; a terminal cannot.

    def _repr_png_(self) -> bytes | None:
        return self.bytes() if self.name.lower().endswith(".png") else None

    def _repr_jpeg_(self) -> bytes | None:
        return self.bytes() if self.name.lower().endswith((".jpg", ".jpeg")) else None
