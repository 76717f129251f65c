"""What `reproduce` and `recall` read of images: their pixels, and the parameters that made them."""

from __future__ import annotations

import io
from typing import Any

import PIL.Image
import pytest

from invokeai_py_client.cli.pixels import difference_of, sentence_of
from invokeai_py_client.cli.recall_parameters import parameters_of


def png(mode: str = "RGB", size: tuple[int, int] = (4, 4), colour: Any = 0, **dots: Any) -> bytes:
    image = PIL.Image.new(mode, size, colour)
    if dots:
        image.putpixel((1, 1), dots["dot"])
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_pixels_are_equal_whatever_the_mode() -> None:
    assert difference_of(png("RGB", colour=(7, 7, 7)), png("L", colour=7)) is None
    assert difference_of(png("RGB"), png("RGBA", colour=(0, 0, 0, 255))) is None


def test_how_pixels_differ() -> None:
    found = difference_of(png(), png(dot=(0, 3, 1)))
    assert found == {"pixels": 1, "of": 16, "largest": 3, "mean": 0.1875}
    assert sentence_of(found) == "1 of 16 pixels differ (6.25 %), by at most 3 of 255, and by 0.1875 on average."
    found = difference_of(png("RGBA", colour=(0, 0, 0, 255)), png("RGBA", colour=(0, 0, 0, 0)))
    assert found is not None
    assert (found["pixels"], found["largest"]) == (16, 255)
    assert "(100 %)" in sentence_of(found)
    found = difference_of(png(), png(size=(4, 5)))
    assert found == {"sizes": [[4, 4], [4, 5]]}
    assert sentence_of(found) == "It is 4 x 5, and was 4 x 4."


def test_16_bit_pixels_are_not_clipped() -> None:
    assert difference_of(png("I;16", colour=1000), png("I;16", colour=1000)) is None
    found = difference_of(png("I;16", colour=1000), png("I;16", colour=1000, dot=60000))
    assert found == {"pixels": 1, "of": 16, "largest": 229.572, "mean": 14.3483}
    assert difference_of(png("I;16", colour=1000), png("I;16", colour=1001)) is not None


def edge(source: str, target: str, field: str) -> dict[str, Any]:
    return {"source": {"node_id": source, "field": "x"}, "destination": {"node_id": target, "field": field}}


GRAPH: dict[str, Any] = {
    "nodes": {
        "text": {"type": "string", "value": "a tiger"},
        "positive": {"type": "compel", "prompt": "unused"},
        "negative": {"type": "compel", "prompt": "dogs"},
        "collect": {"type": "collect"},
        "loader": {"type": "main_model_loader", "model": {"key": "k", "name": "dreams", "type": "main"}},
        "lora": {"type": "lora_loader", "lora": {"key": "l", "name": "fur"}, "weight": 0.5},
        "noise": {"type": "noise", "seed": 7, "width": 512, "height": 768},
        "denoise": {
            "type": "denoise_latents",
            "steps": 20,
            "cfg_scale": 7.5,
            "scheduler": "euler",
            "denoising_start": 0.25,
        },
        "later": {"type": "l2i"},
    },
    "edges": [
        edge("text", "positive", "prompt"),
        edge("positive", "collect", "item"),
        edge("collect", "denoise", "positive_conditioning"),
        edge("negative", "denoise", "negative_conditioning"),
        edge("loader", "lora", "unet"),
        edge("lora", "denoise", "unet"),
        edge("noise", "denoise", "noise"),
        edge("denoise", "later", "latents"),
    ],
}


def test_the_graph_tells_the_parameters() -> None:
    assert parameters_of({}, GRAPH, has_workflow=False) == {
        "positive_prompt": "a tiger",
        "negative_prompt": "dogs",
        "model": "dreams",
        "loras": [{"model_name": "fur", "weight": 0.5}],
        "seed": 7,
        "width": 512,
        "height": 768,
        "steps": 20,
        "cfg_scale": 7.5,
        "scheduler": "euler",
        "denoise_strength": 0.75,
    }


def test_a_flux_graph_has_them_at_other_places() -> None:
    graph = {
        "nodes": {
            "encoder": {"type": "flux_text_encoder", "prompt": "a lion"},
            "denoise": {
                "type": "flux_denoise",
                "num_steps": 4,
                "guidance": 3.5,
                "seed": 1,
                "width": 1024,
                "height": 64,
            },
        },
        "edges": [edge("encoder", "denoise", "positive_text_conditioning")],
    }
    expected = {"positive_prompt": "a lion", "steps": 4, "guidance": 3.5, "seed": 1, "width": 1024, "height": 64}
    assert parameters_of({}, graph, has_workflow=True) == expected


def test_metadata_of_the_web_ui_come_first_and_the_graph_fills_in() -> None:
    metadata = {
        "positive_prompt": "from the metadata",
        "model": {"key": "k", "name": "other", "base": "sdxl"},
        "vae": {"name": "sharp"},
        "strength": 0.4,
        "loras": [{"model": {"name": "wings"}, "weight": 0.75}, "damaged"],
        "steps": None,
        "width": {"odd": 1},
    }
    found = parameters_of(metadata, GRAPH, has_workflow=False)
    assert found["positive_prompt"] == "from the metadata"
    assert (found["model"], found["vae_model"], found["denoise_strength"]) == ("other", "sharp", 0.4)
    assert found["loras"] == [{"model_name": "wings", "weight": 0.75}]
    assert (found["steps"], found["width"]) == (20, 512)


def test_the_graph_comes_first_if_a_workflow_made_the_image() -> None:
    written = {"type": "core_metadata", "positive_prompt": "from the workflow", "steps": 8, "clip_skip": 1}
    graph = {
        "nodes": {**GRAPH["nodes"], "about": written},
        "edges": [*GRAPH["edges"], edge("about", "later", "metadata")],
    }
    found = parameters_of(written, graph, has_workflow=True)
    assert (found["positive_prompt"], found["steps"], found["clip_skip"]) == ("a tiger", 20, 1)


def test_metadata_that_the_run_computed_come_before_the_graph() -> None:
    graph = {
        "nodes": {
            "template": {"type": "dynamic_prompt", "prompt": "a {lion|tiger}"},
            "each": {"type": "iterate"},
            "positive": {"type": "compel"},
            "denoise": {"type": "denoise_latents", "steps": 20},
            "about": {"type": "core_metadata", "steps": 8},
        },
        "edges": [
            edge("template", "each", "collection"),
            edge("each", "positive", "prompt"),
            edge("each", "about", "positive_prompt"),
            edge("positive", "denoise", "positive_conditioning"),
        ],
    }
    found = parameters_of({"positive_prompt": "a lion", "steps": 8}, graph, has_workflow=True)
    assert (found["positive_prompt"], found["steps"]) == ("a lion", 20)


@pytest.mark.parametrize(
    "graph",
    [
        {},
        {"nodes": [], "edges": {}},
        {"nodes": {"a": 1, "b": {"steps": 3}}, "edges": [1, {"source": 2}, edge("a", "b", "positive_conditioning")]},
        {"nodes": {"a": {"steps": 1}}, "edges": [edge("a", "a", "positive_conditioning"), edge("a", "a", "value")]},
    ],
)
def test_odd_graphs_tell_what_they_can(graph: dict[str, Any]) -> None:
    assert {*parameters_of({}, graph, has_workflow=True)} <= {"steps"}
