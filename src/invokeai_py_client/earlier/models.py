"""`invokeai_py_client.models` of client 1.1."""

from enum import StrEnum

from invokeai_py_client import Event as SessionEvent
from invokeai_py_client import Image as IvkImage
from invokeai_py_client import ModelRecord as IvkDnnModel
from invokeai_py_client.earlier import without

__all__ = ["BaseModelEnum", "ImageCategory", "IvkDnnModel", "IvkImage", "SessionEvent"]


# In this client these are str, to which the members are equal.
class ImageCategory(StrEnum):
    """The category of an image."""

    USER = "user"
    GENERAL = "general"
    CONTROL = "control"
    MASK = "mask"
    OTHER = "other"


class BaseModelEnum(StrEnum):
    """`ModelRecord.base`."""

    SD1 = "sd-1"
    SD2 = "sd-2"
    SDXL = "sdxl"
    SDXL_REFINER = "sdxl-refiner"
    FLUX = "flux"
    FLUX_SCHNELL = "flux-schnell"


_RUN = "submit_sync() returns a run: its `status` is a str such as 'completed', and it has wait() and cancel()."

__getattr__ = without(__name__, {"IvkJob": _RUN, "JobStatus": _RUN})
