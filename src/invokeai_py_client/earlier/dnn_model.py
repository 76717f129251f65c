"""`invokeai_py_client.dnn_model` of client 1.1."""

from enum import StrEnum

from invokeai_py_client import FoundModel
from invokeai_py_client import InstallJob as ModelInstJobHandle
from invokeai_py_client import InstallJobRecord as ModelInstJobInfo
from invokeai_py_client import InvokeAIError as InvokeAIClientError
from invokeai_py_client import InvokeAIError as ModelManagerError
from invokeai_py_client import ModelCacheStats as ModelManagerStats
from invokeai_py_client import ModelRecord as DnnModel
from invokeai_py_client import Models as DnnModelRepository
from invokeai_py_client.earlier import with_submodules, without
from invokeai_py_client.errors import ApiError as APIRequestError
from invokeai_py_client.errors import InstallFailed as ModelInstallJobFailed
from invokeai_py_client.errors import InstallTimeout as ModelInstallTimeout
from invokeai_py_client.errors import RejectedError as ModelInstallStartError

__all__ = [
    "APIRequestError",
    "BaseDnnModelType",
    "DnnModel",
    "DnnModelFormat",
    "DnnModelRepository",
    "DnnModelType",
    "FoundModel",
    "HFLoginStatus",
    "InstallJobStatus",
    "InvokeAIClientError",
    "ModelInstJobHandle",
    "ModelInstJobInfo",
    "ModelInstallJobFailed",
    "ModelInstallStartError",
    "ModelInstallTimeout",
    "ModelManagerError",
    "ModelManagerStats",
]


# In this client these are str, to which the members are equal.
class BaseDnnModelType(StrEnum):
    """`ModelRecord.base`."""

    Any = "any"
    StableDiffusion1 = "sd-1"
    StableDiffusion2 = "sd-2"
    StableDiffusion3 = "sd-3"
    StableDiffusionXL = "sdxl"
    StableDiffusionXLRefiner = "sdxl-refiner"
    Flux = "flux"
    CogView4 = "cogview4"
    Imagen3 = "imagen3"
    Imagen4 = "imagen4"
    ChatGPT4o = "chatgpt-4o"
    FluxKontext = "flux-kontext"


class DnnModelType(StrEnum):
    """`ModelRecord.type`."""

    ONNX = "onnx"
    Main = "main"
    VAE = "vae"
    LoRA = "lora"
    ControlLoRa = "control_lora"
    ControlNet = "controlnet"
    TextualInversion = "embedding"
    IPAdapter = "ip_adapter"
    CLIPVision = "clip_vision"
    CLIPEmbed = "clip_embed"
    T2IAdapter = "t2i_adapter"
    T5Encoder = "t5_encoder"
    SpandrelImageToImage = "spandrel_image_to_image"
    SigLIP = "siglip"
    FluxRedux = "flux_redux"
    LlavaOnevision = "llava_onevision"


class DnnModelFormat(StrEnum):
    """`ModelRecord.format`."""

    OMI = "omi"
    Diffusers = "diffusers"
    Checkpoint = "checkpoint"
    LyCORIS = "lycoris"
    ONNX = "onnx"
    Olive = "olive"
    EmbeddingFile = "embedding_file"
    EmbeddingFolder = "embedding_folder"
    InvokeAI = "invokeai"
    T5Encoder = "t5_encoder"
    BnbQuantizedLlmInt8b = "bnb_quantized_int8b"
    BnbQuantizednf4b = "bnb_quantized_nf4b"
    GGUFQuantized = "gguf_quantized"
    Api = "api"


class InstallJobStatus(StrEnum):
    """`InstallJob.status`."""

    WAITING = "waiting"
    DOWNLOADING = "downloading"
    DOWNLOADS_DONE = "downloads_done"
    RUNNING = "running"
    COMPLETED = "completed"
    ERROR = "error"
    CANCELLED = "cancelled"


class HFLoginStatus(StrEnum):
    """The result of `dnn_model_repo.hf_status()`."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"


__getattr__ = without(
    __name__, {"ModelInstallConfig": "install_model() takes the configuration as a dict: config={'name': ...}."}
)

with_submodules(
    __name__,
    "dnn_model_exceptions",
    "dnn_model_models",
    "dnn_model_repo",
    "dnn_model_types",
    "model_inst_job_handle",
)
