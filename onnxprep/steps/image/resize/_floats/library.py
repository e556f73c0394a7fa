"""How torch is asked: a batch of planar images in, one out. Shares no arithmetic with the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from onnxprep.tensor import Array, Tensor, from_layout


def on_batch(x: Tensor, function: Callable[[Any], Any], *, channels_last: bool) -> Array:
    """What a function of torch tensors (NCHW) makes of all images, in the layout of ``x``."""
    import torch

    layout = str(x.spec.layout)
    single = "N" not in layout
    planar = x.in_layout("CHW" if single else "NCHW")
    images = torch.from_numpy(planar[None] if single else planar)
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    y = function(images).numpy()
    return from_layout(y[0], "CHW", layout) if single else from_layout(y, "NCHW", layout)
