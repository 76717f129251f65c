"""The parameters of the web UI that made an image, from its metadata and its graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_FROM_METADATA = {
    "positive_prompt": "positive_prompt",
    "negative_prompt": "negative_prompt",
    "scheduler": "scheduler",
    "steps": "steps",
    "refiner_steps": "refiner_steps",
    "cfg_scale": "cfg_scale",
    "cfg_rescale_multiplier": "cfg_rescale_multiplier",
    "refiner_cfg_scale": "refiner_cfg_scale",
    "guidance": "guidance",
    "width": "width",
    "height": "height",
    "seed": "seed",
    "strength": "denoise_strength",
    "refiner_start": "refiner_denoise_start",
    "clip_skip": "clip_skip",
    "seamless_x": "seamless_x",
    "seamless_y": "seamless_y",
    "refiner_positive_aesthetic_score": "refiner_positive_aesthetic_score",
    "refiner_negative_aesthetic_score": "refiner_negative_aesthetic_score",
}
"""Names in the metadata, and what `POST /api/v1/recall/{queue_id}` calls them."""

_MODELS = {"model": "model", "vae": "vae_model", "refiner_model": "refiner_model"}

_FROM_DENOISING = {
    "steps": "steps",
    "num_steps": "steps",
    "cfg_scale": "cfg_scale",
    "cfg_rescale_multiplier": "cfg_rescale_multiplier",
    "guidance": "guidance",
    "scheduler": "scheduler",
    "seed": "seed",
    "width": "width",
    "height": "height",
}
"""Inputs of nodes that denoise, or that make the noise for them."""

_FAR = 20
"""Edges that are followed back at most."""


def parameters_of(metadata: Mapping[str, Any], graph: Mapping[str, Any], *, has_workflow: bool) -> dict[str, Any]:
    """Return what the server takes to load the parameters of an image into the web UI.

    Args:
        metadata: of the image. The web UI writes all parameters there.
        graph: what made the image; it tells what the metadata leave out.
        has_workflow: whether a workflow made the image. Its metadata may be constants that its author wrote once, so
            the graph comes before all but those that the run has computed.

    Returns:
        The body of the request; empty if neither tells anything.
    """
    of_graph = _Graph(graph)
    in_graph = {name: value for name, value in of_graph.parameters().items() if value is not None}
    found = {**in_graph, **_in_metadata(metadata)}
    if has_workflow:
        computed = of_graph.computed_metadata()
        found |= in_graph | _in_metadata({name: value for name, value in metadata.items() if name in computed})
    return found


def _in_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    found = {to: metadata[name] for name, to in _FROM_METADATA.items() if _is_plain(metadata.get(name))}
    found |= {to: name for key, to in _MODELS.items() if (name := _name_of(metadata.get(key)))}
    loras = metadata.get("loras")
    if isinstance(loras, list):
        rows = [one for one in loras if isinstance(one, Mapping)]
        found["loras"] = [
            _lora(name, one.get("weight")) for one in rows if (name := _name_of(one.get("model", one.get("lora"))))
        ]
    return found


class _Graph:
    """A graph of nodes, read from its end: what denoises, and what feeds that."""

    def __init__(self, graph: Mapping[str, Any]) -> None:
        nodes, edges = graph.get("nodes"), graph.get("edges")
        self._nodes: dict[str, Mapping[str, Any]] = (
            {str(name): node for name, node in nodes.items() if isinstance(node, Mapping)}
            if isinstance(nodes, Mapping)
            else {}
        )
        self._sources: dict[tuple[str, str], list[str]] = {}
        for edge in edges if isinstance(edges, list) else ():
            try:
                target = (edge["destination"]["node_id"], edge["destination"]["field"])
                self._sources.setdefault(target, []).append(edge["source"]["node_id"])
            except (LookupError, TypeError):
                continue

    def parameters(self) -> dict[str, Any]:
        denoising = next((one for one in self._nodes if self._is_denoising(one)), None)
        if denoising is None:
            return {}
        found: dict[str, Any] = {}
        noise = self._sources.get((denoising, "noise"), [])
        for node in (*noise, denoising):
            for field, to in _FROM_DENOISING.items():
                if (value := self._value(node, field)) is not None:
                    found[to] = value
        begin = self._value(denoising, "denoising_start")
        if isinstance(begin, int | float) and 0 < begin <= 1:
            found["denoise_strength"] = round(1 - begin, 6)
        for side in ("positive", "negative"):
            found[f"{side}_prompt"] = self._prompt(denoising, side)
        before = [*self._before(denoising)]
        found["model"] = next((name for one in before if (name := _name_of(self._nodes[one].get("model")))), None)
        loras = [
            _lora(name, self._value(one, "weight"))
            for one in before
            if (name := _name_of(self._nodes[one].get("lora")))
        ]
        if loras:
            found["loras"] = loras
        return found

    def computed_metadata(self) -> set[str]:
        """Return the names of the metadata that other nodes give to a node that writes them."""
        return {field for node, field in self._sources if self._nodes.get(node, {}).get("type") == "core_metadata"}

    def _is_denoising(self, node: str) -> bool:
        has_steps = "steps" in self._nodes[node] or "num_steps" in self._nodes[node]
        return has_steps and any((node, field) in self._sources for field in _conditioning("positive"))

    def _value(self, node: str, field: str) -> Any:
        """Return the value of an input: its own, or that of a node that only holds a value and feeds it."""
        for _ in range(_FAR):
            sources = self._sources.get((node, field))
            if not sources:
                value = self._nodes.get(node, {}).get(field)
                return value if _is_plain(value) else None
            node, field = sources[0], "value"
        return None

    def _prompt(self, denoising: str, side: str) -> str | None:
        for field in _conditioning(side):
            starts = self._sources.get((denoising, field), [])
            for node in (*starts, *(one for start in starts for one in self._before(start))):
                prompt = self._value(node, "prompt")
                if isinstance(prompt, str):
                    return prompt
        return None

    def _before(self, node: str) -> Iterator[str]:
        """Yield the nodes that feed a node, directly or not, the nearest first."""
        seen, nearest = {node}, [node]
        while nearest:
            sources = [source for (target, _), found in self._sources.items() if target in nearest for source in found]
            nearest = [one for one in dict.fromkeys(sources) if one not in seen and one in self._nodes]
            seen.update(nearest)
            yield from nearest


def _conditioning(side: str) -> tuple[str, str]:
    return f"{side}_conditioning", f"{side}_text_conditioning"


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def _name_of(model: object) -> str | None:
    name = model.get("name", model.get("model_name")) if isinstance(model, Mapping) else None
    return name if isinstance(name, str) else None


def _lora(name: str, weight: object) -> dict[str, Any]:
    return {"model_name": name, **({"weight": weight} if isinstance(weight, int | float) else {})}
