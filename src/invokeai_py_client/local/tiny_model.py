"""Builds a tiny Stable Diffusion 1.5 with random weights: `python tiny_model.py FOLDER`.

Run by the Python of a server's environment, which has torch, diffusers and transformers; it imports nothing of this
package, and downloads nothing. The shapes are the smallest that the server still takes for a Stable Diffusion 1.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

TEXT_WIDTH = 768
"""The width of the text encoder's output: this is what tells Stable Diffusion 1 from its successors."""


def byte_symbols() -> list[str]:
    """The 256 printable symbols that stand for bytes in byte-pair vocabularies of this family."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + place) for place in range(len(others))]


def make_tokenizer(folder: Path) -> CLIPTokenizer:
    """A tokenizer that knows single bytes and no words."""
    symbols = byte_symbols()
    vocabulary = [*symbols, *(f"{symbol}</w>" for symbol in symbols), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(
        json.dumps({token: number for number, token in enumerate(vocabulary)}), encoding="utf-8"
    )
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


def text_encoder_config(tokenizer: CLIPTokenizer, width: int) -> CLIPTextConfig:
    """The shape of a text encoder with an output of that width."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=4,
        max_position_embeddings=77,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def make_vae(scaling_factor: float) -> AutoencoderKL:
    """The part that turns latents into pictures."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=scaling_factor,
    )


def make_pipeline(tokenizer: CLIPTokenizer) -> StableDiffusionPipeline:
    """All parts, as small as they can be, with the same random weights every time."""
    torch.manual_seed(0)
    text_encoder = CLIPTextModel(text_encoder_config(tokenizer, TEXT_WIDTH))
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=8,
        norm_num_groups=8,
    )
    vae = make_vae(0.18215)
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def main() -> None:
    """Build the model into the folder that the command line names."""
    with tempfile.TemporaryDirectory() as folder:
        pipeline = make_pipeline(make_tokenizer(Path(folder)))
        pipeline.save_pretrained(sys.argv[1], safe_serialization=True)


if __name__ == "__main__":
    main()
