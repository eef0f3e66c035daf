"""The graph of a tiny language model whose KV cache is in pages: for the dynamic engine of ONNX Runtime GenAI."""

from typing import Final

import numpy as np

from camelid.testing.onnx_format import OnnxGraph
from camelid.types.json import JsonObject

__all__ = ("PAGED_INPUTS", "paged_graph")

PAGED_INPUTS: Final[JsonObject] = {
    "input_ids": "input_ids",
    "block_table": "block_table",
    "cumulative_sequence_lengths": "cumulative_sequence_lengths",
    "past_sequence_lengths": "past_sequence_lengths",
    "past_key_names": "past_key_values.%d.key",
    "past_value_names": "past_key_values.%d.value",
}
"""What `genai_config.json` says of the graph's inputs."""

_LONGEST_MATCH: Final = 12
_SHARPNESS: Final = 2.0
_CERTAINTY: Final = 10.0


def paged_graph(vocabulary: int, blocks: int, block_tokens: int) -> OnnxGraph:
    """A graph that goes on with patterns.

    Its inputs are the new tokens of all sequences in one row, where each sequence ends in that row, how many tokens
    each had before, and which pages are whose. A page holds the tokens themselves.

    Args:
        vocabulary: tokens.
        blocks: pages.
        block_tokens: tokens of a page; at least the longest stretch that is compared.
    """
    graph = OnnxGraph()
    graph.input("input_ids", np.int64, ("tokens",))
    graph.input("cumulative_sequence_lengths", np.int32, ("sequences_and_one",))
    graph.input("past_sequence_lengths", np.int32, ("sequences",))
    graph.input("block_table", np.int32, ("sequences", "pages"))
    cache = (blocks, block_tokens, 1, 1)
    for kind in ("key", "value"):
        graph.input(f"past_key_values.0.{kind}", np.float32, cache)
        graph.output(f"present.0.{kind}", np.float32, cache)
    graph.constant("tokens_as_rows", np.eye(vocabulary, dtype=np.float32))
    for name, number in {"zero": 0, "one": 1, "page": block_tokens}.items():
        graph.constant(name, np.array(number, np.int64))
    for name, numbers in {"axis_0": [0], "axis_1": [1], "all": [-1], "end": [2**31 - 1]}.items():
        graph.constant(name, np.array(numbers, np.int64))
    for name, value in {"nothing": -1.0, "never": -1e9, "no_token": 0.0}.items():
        graph.constant(name, np.array(value, np.float32))
    graph.constant("sharpness", np.array(_SHARPNESS, np.float32))
    graph.constant("certainty", np.array(_CERTAINTY, np.float32))

    _store(graph)
    _remember(graph)
    matches = _matches(graph)
    # Column k is about token k: how long a stretch before it matches the one before the token to come.
    graph.constant("right", np.array([0, 1, 0, -1], np.int64))
    graph.node("Pad", [matches, "right"], "before")
    graph.node("Mul", ["before", "sharpness"], "scaled")
    graph.node("Where", ["is_held", "scaled", "never"], "scores")
    graph.node("Softmax", ["scores"], "attention", axis=-1)
    graph.node("Cast", ["history"], "history_ids", to=7)
    graph.node("Gather", ["tokens_as_rows", "history_ids"], "history_rows")
    graph.node("Einsum", ["attention", "history_rows"], "followers", equation="bt,btv->bv")
    graph.node("Mul", ["followers", "certainty"], "logits")
    graph.output("logits", np.float32, ("batch_size", vocabulary))
    return graph


def _store(graph: OnnxGraph) -> None:
    """Write the new tokens to their pages: `flat` is the cache in one row, `pages` whose they are."""
    graph.node("Cast", ["cumulative_sequence_lengths"], "bounds", to=7)
    graph.node("Slice", ["bounds", "axis_1", "end", "axis_0"], "ends")
    graph.node("Cast", ["past_sequence_lengths"], "past", to=7)
    graph.node("Cast", ["block_table"], "table", to=7)
    graph.node("Max", ["table", "zero"], "pages")
    graph.node("Size", ["input_ids"], "count")
    graph.node("Range", ["zero", "count", "one"], "places")
    graph.node("Unsqueeze", ["places", "axis_1"], "places_down")
    graph.node("Unsqueeze", ["ends", "axis_0"], "ends_across")
    graph.node("GreaterOrEqual", ["places_down", "ends_across"], "is_later")
    graph.node("Cast", ["is_later"], "later", to=7)
    graph.node("ReduceSum", ["later", "axis_1"], "owner", keepdims=0)
    graph.node("Gather", ["past", "owner"], "owner_past")
    graph.node("Gather", ["bounds", "owner"], "owner_start")
    graph.node("Sub", ["places", "owner_start"], "within")
    graph.node("Add", ["owner_past", "within"], "position")
    graph.node("Div", ["position", "page"], "page_number")
    graph.node("Mod", ["position", "page"], "slot")
    graph.node("Shape", ["pages"], "pages_shape")
    graph.node("Gather", ["pages_shape", "one"], "pages_each")
    graph.node("Mul", ["owner", "pages_each"], "first_page")
    graph.node("Add", ["first_page", "page_number"], "page_index")
    graph.node("Reshape", ["pages", "all"], "pages_flat")
    graph.node("Gather", ["pages_flat", "page_index"], "page_id")
    graph.node("Mul", ["page_id", "page"], "page_start")
    graph.node("Add", ["page_start", "slot"], "cell")
    graph.node("Unsqueeze", ["cell", "axis_1"], "cells")
    graph.node("Reshape", ["past_key_values.0.key", "all"], "flat_before")
    graph.node("Cast", ["input_ids"], "new_tokens", to=1)
    graph.node("ScatterND", ["flat_before", "cells", "new_tokens"], "flat")
    graph.node("Shape", ["past_key_values.0.key"], "cache_shape")
    graph.node("Reshape", ["flat", "cache_shape"], "present.0.key")
    graph.node("Identity", ["past_key_values.0.value"], "present.0.value")


def _remember(graph: OnnxGraph) -> None:
    """Read all tokens of each sequence from its pages: `history`, `is_held`, and `length` of each."""
    graph.node("Mul", ["pages_each", "page"], "most")
    graph.node("Range", ["zero", "most", "one"], "all_places")
    graph.node("Div", ["all_places", "page"], "place_page")
    graph.node("Mod", ["all_places", "page"], "place_slot")
    graph.node("Gather", ["pages", "place_page"], "place_pages", axis=1)
    graph.node("Mul", ["place_pages", "page"], "place_starts")
    graph.node("Add", ["place_starts", "place_slot"], "place_cells")
    graph.node("Gather", ["flat", "place_cells"], "raw_history")
    graph.node("Slice", ["bounds", "axis_0", "all", "axis_0"], "starts")
    graph.node("Sub", ["ends", "starts"], "new_each")
    graph.node("Add", ["past", "new_each"], "lengths")
    graph.node("Unsqueeze", ["lengths", "axis_1"], "length")
    graph.node("Less", ["all_places", "length"], "is_held")
    graph.node("Where", ["is_held", "raw_history", "no_token"], "history")


def _matches(graph: OnnxGraph) -> str:
    """For each place of each sequence, how many tokens up to it are those up to the last; the name of the value."""
    stretch = total = ""
    for lag in range(_LONGEST_MATCH):
        graph.constant(f"lag_{lag}", np.array(lag + 1, np.int64))
        graph.constant(f"lag_right_{lag}", np.array([0, lag, 0, -lag], np.int64))
        graph.node("Sub", ["length", f"lag_{lag}"], f"back_{lag}")
        graph.node("Max", [f"back_{lag}", "zero"], f"place_{lag}")
        graph.node("GatherElements", ["history", f"place_{lag}"], f"token_{lag}", axis=1)
        graph.node("Pad", ["history", f"lag_right_{lag}", "nothing"], f"shifted_{lag}")
        graph.node("Equal", [f"shifted_{lag}", f"token_{lag}"], f"is_same_{lag}")
        same = graph.node("Cast", [f"is_same_{lag}"], f"same_{lag}", to=1)
        stretch = graph.node("Mul", [stretch, same], f"stretch_{lag}") if stretch else same
        total = graph.node("Add", [total, stretch], f"total_{lag}") if total else same
    return total
