"""image_output: a picture of bytes from the floats of a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from onnxprep.errors import ContractError
from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, catalogue, parameter, random_sides, refuse_unless
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.steps.image.planar import LAYOUTS
from onnxprep.steps.segment._placed import placed
from onnxprep.steps.segment._undo import undone
from onnxprep.tensor import Array, Tensor, TensorSpec

_PADS = ("pad", "pad_to_size", "pad_to_multiple")
_CLAIMS = {
    "truncate": Claim("torchvision", ">=0.20", "transforms.functional.to_pil_image", note="of clipped values"),
    "half_up": Claim("torchvision", ">=0.20", "utils.save_image"),
    "half_even": Claim("numpy", ">=1.26", '(x * 255).round().astype("uint8")'),
}


class ImageOutput(Step):
    """``y = bytes(clip(255 x, 0, 255))``, each operation in float32; -1..1 becomes ``x / 2 + 0.5`` first.

    truncate cuts (torchvision's to_pil_image), half_up cuts ``255 x + 0.5`` (its save_image), half_even is NumPy's
    round. With ``frame`` what pads before the model have put around the picture is cut off, ``scale`` times as wide.

    Input: image, float32, C = 1 or 3; a tensor of four axes without a layout is NCHW, of three CHW.
    Output: picture, uint8, NHWC or HWC; RGB where nothing else is declared, GRAY of one channel.
    Rounds: as above.
    Source: torchvision 0.28, transforms/functional.py to_pil_image and utils.py save_image.
    Raises: ContractError where the tensor is no such image, ``frame`` is no step before the model or leads through
        anything but pads. NaN: the byte is then not defined.
    """

    operation: ClassVar[str] = "image_output"
    claims: ClassVar = {"": _CLAIMS["half_up"]}

    range: Literal["0..1", "-1..1", "0..255"] = parameter("what black and white are in the output of the model")
    rounding: Literal["truncate", "half_up", "half_even"] = parameter("how values become whole")
    frame: str | None = parameter("name of the pad before the model that is to be cut off", None, min_length=1)
    scale: Annotated[int, Field(gt=0, le=64)] = parameter(
        "with `frame`: how many times as long the sides of the output are as those of the model's input", 1
    )

    def promise(self) -> Claim:
        """By the rounding."""
        return _CLAIMS[self.rounding]

    def undoing(self, steps: Sequence[Step]) -> Self:
        """The same, knowing what to cut off."""
        operations = [step.operation for step in steps]
        if not steps or not set(operations) <= set(_PADS):
            got, hint = ", ".join(operations) or "no such step", "a picture is not resized here, only cut"
            raise ContractError("is no frame of pads", expected=", ".join(_PADS), got=got, hint=hint)
        return self.knowing(steps)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Bytes, channels last."""
        x = self._named(inputs[0])
        fits = x.dtype == "float32" and x.layout in LAYOUTS and x.rank == len(str(x.layout)) and x.dim("C") in (1, 3)
        refuse_unless(fits, "is not an image", expected="float32[N, C, H, W], C = 1 or C = 3", got=inputs[0])
        color = "GRAY" if x.dim("C") == 1 else x.color or "RGB"
        if self.frame:
            x = x.with_dims(H=None, W=None)
        y = x.in_layout("NHWC" if "N" in str(x.layout) else "HWC")
        return (TensorSpec("uint8", y.shape, y.layout, color, (0.0, 255.0)),)

    @staticmethod
    def _named(x: TensorSpec) -> TensorSpec:
        layout = x.layout or {4: "NCHW", 3: "CHW"}.get(x.rank or 0)
        return TensorSpec(x.dtype, x.shape, layout, x.color)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """Clipped before the Cast."""
        x, *told = inputs
        if told:
            x = self._cut(op, x, told[-3])
        if self.range == "-1..1":
            x = op.Add(op.Mul(x, op.float32(0.5)), op.float32(0.5))
        if self.range != "0..255":
            x = op.Mul(x, op.float32(255))
        if self.rounding == "half_up":
            x = op.Add(x, op.float32(0.5))
        elif self.rounding == "half_even":
            x = op.Round(x)
        return op.Cast(op.Clip(x, op.float32(0), op.float32(255)), to="uint8")

    def _cut(self, op: Ops, x: Value, picture: Value) -> Value:
        a, start = Arithmetic(op), lengths(0, 0)
        steps = undone(op, self._undone, picture)
        for step in steps:
            start = a.Add(start, step.start)
        end = a.Add(start, steps[-1].in_size)
        rank, many = len(x.spec.shape or ()), lengths(self.scale)
        return op.Slice(x, a.value(a.Mul(start, many)), a.value(a.Mul(end, many)), op.int64([rank - 2, rank - 1]))

    def oracle(self, *inputs: Tensor) -> Array:
        """Torchvision's functions; NumPy where values are rounded half to even."""
        x, told = inputs[0], inputs[1:]
        layout = str(self._named(x.spec).layout)
        images = np.moveaxis(x.array, layout.index("C"), -1)
        for place in placed(self._undone, told[-3].array) if told else ():
            (top, left), (height, width) = ([self.scale * n for n in pair] for pair in (place.first, place.inner))
            images = images[..., top : top + height, left : left + width, :]
        single = images.ndim == 3
        made = [self._picture(np.ascontiguousarray(image)) for image in (images[None] if single else images)]
        return made[0] if single else np.stack(made) if made else images.astype(np.uint8)

    def _picture(self, image: Array) -> Array:
        if not image.size:
            return image.astype(np.uint8)
        x = image * np.float32(0.5) + np.float32(0.5) if self.range == "-1..1" else image
        if self.rounding == "half_even":
            scaled = x if self.range == "0..255" else x * np.float32(255)
            return scaled.round().clip(0, 255).astype(np.uint8)
        if self.range == "0..255":
            return (x + np.float32(0.5 if self.rounding == "half_up" else 0)).clip(0, 255).astype(np.uint8)
        return _torchvision(x, self.rounding).reshape(image.shape)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Every range and rounding, beyond the ends and on the halves; every layout; pads cut off."""
        spans = {"0..1": (-0.1, 1.1), "-1..1": (-1.2, 1.2), "0..255": (-9.0, 270.0)}
        shapes = [("NCHW", (2, 3, 9, 7)), ("NHWC", (1, 5, 6, 1)), ("CHW", (3, 4, 5)), ("HWC", (1, 1, 3))]
        for i, (range_, span) in enumerate(spans.items()):
            for j, rounding in enumerate(_CLAIMS):
                layout, shape = shapes[(i + j) % 4]
                spec = TensorSpec("float32", shape, layout, None, span)
                yield Case({"range": range_, "rounding": rounding}, (Sample(spec, 3 * i + j),))
        pad = catalogue()["pad"]["torchvision-v1"].model_validate({"like": "torchvision-v1", "padding": (3, 1, 2, 4)})
        for scale in (1, 2):
            shape = (1, 3, scale * 25, scale * 25)
            told = [TensorSpec("int64", (2,), None, None, (20.0, 20.0)), TensorSpec("float64", (2,))]
            frame = tuple(Sample(spec, scale) for spec in (*told, TensorSpec("int64", (2,))))
            parameters = {"range": "0..1", "rounding": "half_up", "frame": f"pad {scale}", "scale": scale}
            yield Case(
                parameters, (Sample(TensorSpec("float32", shape, "NCHW", None, (0.0, 1.0)), 7), *frame), (), (pad,)
            )

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Any image."""
        case = super().draw(like, rng, largest)
        if case.undoes:
            return case
        height, width = random_sides(rng, largest)
        spec = TensorSpec(
            "float32", (1, int(rng.choice([1, 3])), height, width), "NCHW", None, case.inputs[0].spec.range
        )
        return Case(case.parameters, (Sample(spec, int(rng.integers(2**31))),))


def _torchvision(image: Array, rounding: str) -> Any:
    from io import BytesIO

    import torch
    from PIL import Image
    from torchvision.transforms.functional import to_pil_image
    from torchvision.utils import save_image

    x = torch.from_numpy(image).permute(2, 0, 1)
    if rounding == "truncate":
        return np.asarray(to_pil_image(x.clamp(0, 1).contiguous()))
    file = BytesIO()
    save_image(x, file, format="PNG")
    made = np.asarray(Image.open(file))
    return made if image.shape[2] == 3 else made[..., :1]
