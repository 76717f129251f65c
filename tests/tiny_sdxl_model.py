"""Builds a tiny Stable Diffusion XL with random weights: `python tiny_sdxl_model.py FOLDER`.

Run by the Python of a server's environment, with the folder of `tiny_model.py` as PYTHONPATH.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from tiny_model import TEXT_WIDTH, make_tokenizer, make_vae, text_encoder_config
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

SECOND_WIDTH = 1280
"""The width of the second text encoder. With that of the first, it makes 2048, which tells Stable Diffusion XL."""

TIME_WIDTH = 8
"""The width of each of the six numbers, sizes and crops, that the model is told of the picture."""


def make_pipeline(tokenizer: CLIPTokenizer) -> StableDiffusionXLPipeline:
    """All parts, as small as they can be, with the same random weights every time."""
    torch.manual_seed(0)
    return StableDiffusionXLPipeline(
        vae=make_vae(0.13025),
        text_encoder=CLIPTextModel(text_encoder_config(tokenizer, TEXT_WIDTH)),
        text_encoder_2=CLIPTextModelWithProjection(text_encoder_config(tokenizer, SECOND_WIDTH)),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=8,
            layers_per_block=1,
            block_out_channels=(32, 64),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=TEXT_WIDTH + SECOND_WIDTH,
            attention_head_dim=8,
            norm_num_groups=8,
            addition_embed_type="text_time",
            addition_time_embed_dim=TIME_WIDTH,
            projection_class_embeddings_input_dim=SECOND_WIDTH + 6 * TIME_WIDTH,
        ),
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        make_pipeline(make_tokenizer(Path(folder))).save_pretrained(sys.argv[1], safe_serialization=True)
