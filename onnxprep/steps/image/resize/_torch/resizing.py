"""What torchvision and transformers share where they resize uint8 tensors: both call torch."""

from __future__ import annotations

import numpy as np

from onnxprep.step import Case, Ops, Sample, Value, random_sides, refuse_unless
from onnxprep.steps.image.arithmetic import Arithmetic
from onnxprep.steps.image.planar import LAYOUTS
from onnxprep.steps.image.resize._fixed_point.passes import resample
from onnxprep.steps.image.resize._geometry import Geometry, Sizes
from onnxprep.steps.image.resize._resizing import Resizing
from onnxprep.steps.image.resize._torch import points
from onnxprep.steps.image.resize._torch.nearest import nearest
from onnxprep.steps.image.resize._torch.tables import EmittedInt16Tables, KnownInt16Tables
from onnxprep.tensor import TensorSpec

_COLORS = {"RGB": 3, "BGR": 3, "RGBA": 4, "GRAY": 1}
_MOST = 4
"""Torch sends images of more channels through a kernel with other results."""


class TorchResizing(Resizing):
    """The base of both."""

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """H and W by the size rule where it can be told; negative weights may leave the range of the input."""
        (x,) = inputs
        (y,) = super().infer(x)
        fits = x.dim("C") in range(1, _MOST + 1)
        refuse_unless(fits, "has too many channels, or an unknown number", expected="1 to 4 channels", got=x)
        return (y,)

    def resize(
        self, op: Ops, x: Value, geometry: Geometry, sizes: Sizes, interpolation: str, *, antialias: bool
    ) -> Value:
        """The wanted outputs; planar. ``interpolation`` is torchvision's word."""
        if interpolation.startswith("nearest"):
            return nearest(op, x, geometry, exact=interpolation == "nearest_exact")
        if not antialias:
            return points.resample(op, x, geometry, interpolation)
        a = Arithmetic(op)
        known = all(a.known(n) is not None for n in vars(geometry).values())
        tables = KnownInt16Tables if known else EmittedInt16Tables
        return resample(op, x, tables(op, geometry, interpolation, sizes), np.array([False]))


def draw_resize(rng: np.random.Generator, largest: int, interpolations: tuple[str, ...]) -> Case:
    """A random case of the parameters that both have."""
    sides, size = random_sides(rng, largest), random_sides(rng, largest)
    match rng.integers(8):
        case 0:
            size = sides
        case 1:
            size = (sides[0], size[1])
        case 2:
            size = (size[0], sides[1])
    layout, color = LAYOUTS[rng.integers(len(LAYOUTS))], list(_COLORS)[rng.integers(len(_COLORS))]
    dims = {"N": int(rng.integers(1, 4)), "H": sides[0], "W": sides[1], "C": _COLORS[color]}
    spec = TensorSpec("uint8", tuple(dims[letter] for letter in layout), layout, color, (0.0, 255.0))
    interpolation = interpolations[rng.integers(len(interpolations))]
    parameters = {"size": list(size), "interpolation": interpolation}
    return Case(parameters, (Sample(spec, int(rng.integers(2**31))),))
