"""What the steps share that give every byte a number: a product, or a table of all 256 answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from onnxprep.step import Case, Ops, Sample, Step, Value, refuse_unless
from onnxprep.steps.image.planar import each_image, refuse_unless_image
from onnxprep.tensor import Array, Tensor, TensorSpec

EVERY = np.arange(256)


def product(op: Ops, x: Value, factor: float) -> Value:
    """``x * factor`` in float32.

    Not DequantizeLinear, one node with the same bits: ONNX Runtime (1.20 to 1.31) aborts at load where a Loop or an If behind
    it reads it, and takes it for a part of a quantised model.
    """
    wide = x if x.spec.dtype == "float32" else op.Cast(x, to="float32")
    return op.Mul(wide, op.float32(factor))


def look_up(op: Ops, x: Value, table: Array) -> Value:
    """``table[x]``, or ``table[c, x]`` for a table per channel, of a planar uint8 image.

    GatherElements over flat int32 indices: ONNX Runtime's Gather takes 8 times as long.
    """
    index = op.Cast(x, to="int32")
    if table.ndim == 2:
        index = op.Add(index, op.constant([[[256 * c]] for c in range(len(table))], "int32"))
    flat = op.Reshape(index, op.int64([-1]))
    entries = op.constant(table.ravel(), str(table.dtype))
    return op.Reshape(op.GatherElements(entries, flat, axis=0), op.Shape(x))


class ByteToByte(Step):
    """Base: every byte becomes another one, the same in every channel. The table is computed when the graph is written."""

    channels: ClassVar[tuple[int, ...]] = (1, 3)

    def table(self) -> Array:
        """What becomes of 0, 1, ... 255: uint8 [256]."""
        raise NotImplementedError

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Changes nothing but the bytes and their range."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint=f"put `{self.operation}` before `rescale`")
        expected = " or ".join(f"C = {count}" for count in self.channels)
        refuse_unless(x.dim("C") in self.channels, "has another number of channels", expected=expected, got=x)
        low, high = (int(end) for end in x.range or (0, 255))
        reached = self.table()[low : high + 1]
        return (replace(x, range=(float(reached.min()), float(reached.max()))),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """The table."""
        return look_up(op, inputs[0], self.table())


def on_pillow(x: Tensor, function: Callable[[Any], Any]) -> Array:
    """What a function of Pillow images makes of every image."""
    from PIL import Image

    def one(image: Array) -> Array:
        picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
        return np.asarray(function(picture)).reshape(image.shape)

    return each_image(x, "HWC", one)


def on_torch(x: Tensor, function: Callable[[Any], Any]) -> Array:
    """What a function of torch tensors makes of every image."""
    import torch

    def one(image: Array) -> Array:
        made: Array = function(torch.from_numpy(image)).numpy()
        return made

    return each_image(x, "CHW", one)


def cases_of(*parameters: dict[str, Any]) -> Iterator[Case]:
    """All parameters on all 256 bytes, and one after the other on three channels (all bytes in each), planar and interleaved."""
    for one in parameters:
        yield Case(one, (_image("CHW", (1, 64, 32), "GRAY"),))
    others = (
        _image("HWC", (64, 64, 3), "RGB"),
        _image("NHWC", (2, 5, 7, 3), "BGR"),
        _image("NCHW", (2, 3, 1, 9), "RGB"),
    )
    for i, sample in enumerate(others):
        yield Case(parameters[i % len(parameters)], (sample,))


def _image(layout: str, shape: tuple[int, ...], color: str) -> Sample:
    return Sample(TensorSpec("uint8", shape, layout, color, (0.0, 255.0)), seed=3)
