"""What the padding steps refuse when the graph runs, where H and W were not known before."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from steps import build, run

from onnxprep.step import catalogue
from onnxprep.tensor import TensorSpec

RGB = TensorSpec("uint8", ("N", "H", "W", 3), "NHWC", "RGB", (0.0, 255.0))
MIRRORS = {"padding": [1, 3], "padding_mode": "reflect"}
SWIN = {"multiple": 8, "processor": "swin2sr"}


@pytest.mark.parametrize(
    ("place", "parameters", "fits", "misfits"),
    [
        ("pad/torchvision-v2", MIRRORS, [(4, 2), (9, 9)], [(3, 9), (9, 1)]),
        ("pad/torchvision-v1", {**MIRRORS, "padding_mode": "symmetric"}, [(3, 1), (9, 9)], [(2, 9)]),
        ("pad_to_size/transformers-pil", {"size": [8, 6]}, [(8, 6), (1, 1)], [(9, 5), (3, 7), (12, 4)]),
        ("pad_to_multiple/transformers-torchvision", SWIN, [(4, 8), (9, 12)], [(3, 8), (8, 3)]),
        ("pad_to_multiple/transformers-pil", SWIN, [(3, 8), (1, 1)], [(0, 8)]),
        ("pad/opencv-5", {"top": 3, "padding_mode": "wrap"}, [(1, 1)], [(0, 4)]),
    ],
)
def test_sizes_that_do_not_fit_fail_the_run(
    place: str, parameters: dict[str, Any], fits: list[tuple[int, int]], misfits: list[tuple[int, int]]
):
    operation, like = place.split("/")
    step = catalogue()[operation][like].model_validate_json(json.dumps({**parameters, "like": like}))
    model = build([step], [RGB])
    for sides in fits:
        assert run(model, np.zeros((2, *sides, 3), np.uint8))[0].size
    for sides in misfits:
        with pytest.raises(Exception, match=r"Reshape|Gather"):
            run(model, np.zeros((2, *sides, 3), np.uint8))
