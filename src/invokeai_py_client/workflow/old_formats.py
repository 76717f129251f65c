"""Input values of files in formats 1 and 2, read by the type that the file declares for each input.

The web UI migrates such files through old schemas (`types/v1`, `types/v2`). In format 1, a value of the wrong type is
an error. In format 2, it is dropped, as is every value of a type without a widget, such as a collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from invokeai_py_client.workflow.fields import UNSET
from invokeai_py_client.workflow.saved_values import color, image
from invokeai_py_client.workflow.value_readers import (
    Part,
    Reader,
    anything,
    boolean,
    first_of,
    integer,
    list_of,
    name,
    number,
    object_of,
    one_of,
    optional,
    record,
    text,
    text_from,
)

_base = one_of(("any", "sd-1", "sd-2", "sdxl", "sdxl-refiner"))
_scheduler = one_of(
    (
        *("euler", "deis", "ddim", "ddpm", "dpmpp_2s", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_sde", "heun", "kdpm_2"),
        *("lms", "pndm", "unipc", "euler_k", "dpmpp_2s_k", "dpmpp_2m_k", "dpmpp_2m_sde_k", "dpmpp_sde_k", "heun_k"),
        *("lms_k", "euler_a", "kdpm_2_a", "lcm"),
    )
)
_board = object_of(board_id=name)


def _model_of(**parts: Reader) -> Reader:
    # Not all of these schemas have the model's type, but it is needed to bind the model.
    described: dict[str, Reader | Part] = {"model_type": optional(anything), **parts}
    return object_of(**described)


# Format 2: the types that keep a value.

_main_2 = _model_of(model_name=text_from(3), base_model=_base, model_type=one_of(("main",)))
_model_2 = _model_of(model_name=text_from(3), base_model=_base)

_FORMAT_2: dict[str, Reader] = {
    "IntegerField": integer,
    "FloatField": number,
    "StringField": text,
    "BooleanField": boolean,
    "EnumField": text,
    "ImageField": image,
    "BoardField": _board,
    "ColorField": color,
    "SchedulerField": _scheduler,
    **dict.fromkeys(("MainModelField", "SDXLMainModelField", "SDXLRefinerModelField"), _main_2),
    **dict.fromkeys(
        ("VAEModelField", "LoRAModelField", "ControlNetModelField", "IPAdapterModelField", "T2IAdapterModelField"),
        _model_2,
    ),
}

# Format 1: the reader of each type, and its name in format 2.

_model_1 = _model_of(model_name=name, base_model=_base)
_main_1 = first_of(
    *(_model_of(model_name=text_from(1), base_model=_base, model_type=one_of((kind,))) for kind in ("main", "onnx"))
)
_weights = first_of(number, list_of(number))
_latents = object_of(latents_name=name, seed=optional(integer))
_conditioning = object_of(conditioning_name=name)
_mask = object_of(mask_name=name, masked_latents_name=optional(name))
_resize_mode = optional(one_of(("just_resize", "crop_resize", "fill_resize", "just_resize_simple")))
_steps = {"begin_step_percent": optional(number), "end_step_percent": optional(number)}
_control = object_of(
    image=image,
    control_model=_model_1,
    control_weight=optional(_weights),
    control_mode=optional(one_of(("balanced", "more_prompt", "more_control", "unbalanced"))),
    resize_mode=_resize_mode,
    **_steps,
)
_ip_adapter = object_of(image=image, ip_adapter_model=_model_1, weight=number, **_steps)
_t2i_adapter = object_of(
    image=image, t2i_adapter_model=_model_1, weight=optional(_weights), resize_mode=_resize_mode, **_steps
)
_submodel = one_of(
    (
        *("unet", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "vae", "vae_decoder", "vae_encoder"),
        *("scheduler", "safety_checker"),
    )
)
_info: dict[str, Reader | Part] = {
    "model_name": name,
    "base_model": _base,
    "model_type": one_of(("onnx", "main", "vae", "lora", "controlnet", "embedding")),
    "submodel": optional(_submodel),
}
_model_info = object_of(**_info)
_lora_info = list_of(object_of(**_info, weight=optional(number)))
_metadata_item = object_of(label=text, value=optional(anything))


def _family(
    single: str, collection: str, polymorphic: str, reader: Reader, now: str, *, either: bool = True
) -> dict[str, tuple[Reader, str]]:
    """Return a type, its list, and its polymorphic variant. `either`: whether the latter accepts a list."""
    both = first_of(reader, list_of(reader)) if either else reader
    return {single: (reader, now), collection: (list_of(reader), now), polymorphic: (both, now)}


_FORMAT_1: dict[str, tuple[Reader, str]] = {
    "Any": (anything, "AnyField"),
    "Collection": (list_of(anything), "CollectionField"),
    "CollectionItem": (anything, "CollectionItemField"),
    "enum": (text, "EnumField"),
    "Scheduler": (_scheduler, "SchedulerField"),
    "BoardField": (_board, "BoardField"),
    **_family("integer", "IntegerCollection", "IntegerPolymorphic", integer, "IntegerField", either=False),
    **_family("float", "FloatCollection", "FloatPolymorphic", number, "FloatField", either=False),
    **_family("string", "StringCollection", "StringPolymorphic", text, "StringField", either=False),
    **_family("boolean", "BooleanCollection", "BooleanPolymorphic", boolean, "BooleanField", either=False),
    **_family("ImageField", "ImageCollection", "ImagePolymorphic", image, "ImageField", either=False),
    **_family("ColorField", "ColorCollection", "ColorPolymorphic", color, "ColorField"),
    **_family("LatentsField", "LatentsCollection", "LatentsPolymorphic", _latents, "LatentsField"),
    **_family(
        "ConditioningField", "ConditioningCollection", "ConditioningPolymorphic", _conditioning, "ConditioningField"
    ),
    **_family("ControlField", "ControlCollection", "ControlPolymorphic", _control, "ControlField"),
    **_family("IPAdapterField", "IPAdapterCollection", "IPAdapterPolymorphic", _ip_adapter, "IPAdapterField"),
    **_family("T2IAdapterField", "T2IAdapterCollection", "T2IAdapterPolymorphic", _t2i_adapter, "T2IAdapterField"),
    **_family(
        "MetadataItemField",
        "MetadataItemCollection",
        "MetadataItemPolymorphic",
        _metadata_item,
        "MetadataItemField",
    ),
    "MetadataField": (record, "MetadataField"),
    "MetadataCollection": (list_of(record), "MetadataField"),
    "DenoiseMaskField": (_mask, "DenoiseMaskField"),
    "UNetField": (object_of(unet=_model_info, scheduler=_model_info, loras=_lora_info), "UNetField"),
    "ClipField": (
        object_of(tokenizer=_model_info, text_encoder=_model_info, skipped_layers=number, loras=_lora_info),
        "ClipField",
    ),
    "VaeField": (object_of(vae=_model_info), "VaeField"),
    **{f"{kind}ModelField": (_main_1, f"{kind}ModelField") for kind in ("Main", "SDXLMain", "SDXLRefiner")},
    **{
        f"{kind}ModelField": (_model_1, f"{kind}ModelField")
        for kind in ("LoRA", "ControlNet", "IPAdapter", "T2IAdapter")
    },
    "VaeModelField": (_model_1, "VAEModelField"),
}

FORMAT_1_TYPES = frozenset(_FORMAT_1)
"""The types that an input or output of format 1 may declare."""

FORMAT_2_TYPES = frozenset(_FORMAT_2)
"""The types for which an input of format 2 may have a value."""


def read_format_1(value: Any, declared: str) -> Any:
    """Return the value of an input of format 1 after migration; UNSET if it has none.

    Raises:
        ValueError: the value is not of the declared type.
    """
    reader, now = _FORMAT_1[declared]
    read = reader(value)
    if read is UNSET:
        raise ValueError(f"its value {value!r:.80} does not have its type {declared!r}")
    return read_format_2(read, now)


def read_format_2(value: Any, declared: str) -> Any:
    """Return the value of an input of format 2 after migration; UNSET if it has none."""
    reader = _FORMAT_2.get(declared)
    return UNSET if reader is None else reader(value)


def declared_type(given: Mapping[str, Any]) -> str | None:
    """Return the type that an input of format 1 or 2 declares; None if it does not declare one."""
    declared = given.get("type")
    if isinstance(declared, Mapping):
        declared = declared.get("name")
    return declared if isinstance(declared, str) else None
