"""`invokeai_py_client.ivk_fields` of client 1.1."""

from enum import StrEnum

from invokeai_py_client import Field as IvkField
from invokeai_py_client.earlier import with_submodules, without
from invokeai_py_client.workflow.field_factory import ListField as IvkCollectionField
from invokeai_py_client.workflow.fields import BooleanField as IvkBooleanField
from invokeai_py_client.workflow.fields import BoundingBoxField as IvkBoundingBoxField
from invokeai_py_client.workflow.fields import ColorField as IvkColorField
from invokeai_py_client.workflow.fields import EnumField as IvkColorModeField
from invokeai_py_client.workflow.fields import EnumField as IvkEnumField
from invokeai_py_client.workflow.fields import EnumField as IvkInterpolationField
from invokeai_py_client.workflow.fields import EnumField as IvkLiteralField
from invokeai_py_client.workflow.fields import FloatField as IvkFloatField
from invokeai_py_client.workflow.fields import IntegerField as IvkIntegerField
from invokeai_py_client.workflow.fields import SchedulerField as IvkSchedulerField
from invokeai_py_client.workflow.fields import StringField as IvkStringField
from invokeai_py_client.workflow.resource_fields import BoardField as IvkBoardField
from invokeai_py_client.workflow.resource_fields import ImageField as IvkImageField
from invokeai_py_client.workflow.resource_fields import LoRAField as IvkLoRAField
from invokeai_py_client.workflow.resource_fields import ModelField as IvkCLIPEmbedField
from invokeai_py_client.workflow.resource_fields import ModelField as IvkFluxModelField
from invokeai_py_client.workflow.resource_fields import ModelField as IvkModelIdentifierField
from invokeai_py_client.workflow.resource_fields import ModelField as IvkSDXLModelField
from invokeai_py_client.workflow.resource_fields import ModelField as IvkT5EncoderField
from invokeai_py_client.workflow.resource_fields import ModelField as IvkVAEModelField

__all__ = [
    "SCHEDULER_NAMES",
    "IvkBoardField",
    "IvkBooleanField",
    "IvkBoundingBoxField",
    "IvkCLIPEmbedField",
    "IvkCollectionField",
    "IvkColorField",
    "IvkColorModeField",
    "IvkEnumField",
    "IvkField",
    "IvkFloatField",
    "IvkFluxModelField",
    "IvkImageField",
    "IvkIntegerField",
    "IvkInterpolationField",
    "IvkLiteralField",
    "IvkLoRAField",
    "IvkModelIdentifierField",
    "IvkSDXLModelField",
    "IvkSchedulerField",
    "IvkStringField",
    "IvkT5EncoderField",
    "IvkVAEModelField",
    "SchedulerName",
]


# In this client a scheduler is a str, to which the members are equal.
class SchedulerName(StrEnum):
    """The schedulers that InvokeAI 6.8 had. `SchedulerField.options` are those of the server."""

    DDIM = "ddim"
    DDPM = "ddpm"
    DEIS = "deis"
    DEIS_K = "deis_k"
    LMS = "lms"
    LMS_K = "lms_k"
    PNDM = "pndm"
    HEUN = "heun"
    HEUN_K = "heun_k"
    EULER = "euler"
    EULER_K = "euler_k"
    EULER_A = "euler_a"
    KDPM_2 = "kdpm_2"
    KDPM_2_K = "kdpm_2_k"
    KDPM_2_A = "kdpm_2_a"
    KDPM_2_A_K = "kdpm_2_a_k"
    DPMPP_2S = "dpmpp_2s"
    DPMPP_2S_K = "dpmpp_2s_k"
    DPMPP_2M = "dpmpp_2m"
    DPMPP_2M_K = "dpmpp_2m_k"
    DPMPP_2M_SDE = "dpmpp_2m_sde"
    DPMPP_2M_SDE_K = "dpmpp_2m_sde_k"
    DPMPP_3M = "dpmpp_3m"
    DPMPP_3M_K = "dpmpp_3m_k"
    DPMPP_SDE = "dpmpp_sde"
    DPMPP_SDE_K = "dpmpp_sde_k"
    UNIPC = "unipc"
    UNIPC_K = "unipc_k"
    LCM = "lcm"
    TCD = "tcd"


SCHEDULER_NAMES = [name.value for name in SchedulerName]

_OPTIONS = "The field has them: wf.inputs[index].field.options."
_BETWEEN_NODES = (
    "Values of this type go from node to node and are not set: wf.inputs has all inputs that a workflow shows, and "
    "isinstance(field, IvkModelIdentifierField) tells those that take a model."
)
_MADE_BY_TEMPLATES = (
    "Field classes are not written by hand: the client makes the fields of all node types, custom ones too, from what "
    "the server says of them."
)

__getattr__ = without(
    __name__,
    {
        "COLOR_MODES": _OPTIONS,
        "INTERPOLATION_MODES": _OPTIONS,
        **dict.fromkeys(
            (
                "IvkCLIPField",
                "IvkCogView4ConditioningField",
                "IvkConditioningField",
                "IvkDenoiseMaskField",
                "IvkFluxConditioningField",
                "IvkFluxFillConditioningField",
                "IvkFluxKontextConditioningField",
                "IvkFluxReduxConditioningField",
                "IvkLatentsField",
                "IvkMetadataField",
                "IvkSD3ConditioningField",
                "IvkTensorField",
                "IvkTransformerField",
                "IvkUNetField",
                "IvkVAEField",
            ),
            _BETWEEN_NODES,
        ),
        **dict.fromkeys(("IvkCollectionFieldMixin", "IvkImageFieldMixin", "PydanticFieldMixin"), _MADE_BY_TEMPLATES),
    },
)

with_submodules(__name__, "base", "complex", "conditioning", "enums", "models", "primitives", "resources")
