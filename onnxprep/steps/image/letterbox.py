"""letterbox: an image resized into a rectangle with its proportions, and a border around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, get_args

import numpy as np
from pydantic import AfterValidator, Field, ValidationInfo

from onnxprep.step import Case, Claim, Frame, Ops, Step, Value, catalogue, parameter, refuse_unless, wrong
from onnxprep.steps.image._borders import refuse_at_run, surround
from onnxprep.steps.image._letterbox_cases import cases, draw
from onnxprep.steps.image._letterbox_geometry import BETWEEN, EARLIER, LATER, LetterboxRule
from onnxprep.steps.image._letterbox_library import CLAIMS, letterboxed
from onnxprep.steps.image._padding import with_fill
from onnxprep.steps.image.arithmetic import Arithmetic, lengths
from onnxprep.steps.image.planar import Side, in_planes, known_size, refuse_unless_image
from onnxprep.steps.image.resize._geometry import Geometry, Sizes
from onnxprep.steps.image.resize._resizing import Resizing
from onnxprep.tensor import Array, Tensor, TensorSpec


def _auto_alone(scale_fill: bool, info: ValidationInfo) -> bool:
    if scale_fill and info.data.get("auto"):
        raise wrong("does nothing beside auto", expected="false", hint="Ultralytics ignores it: name one of the two")
    return scale_fill


def _resize_class(like: str) -> type[Step] | None:
    return catalogue()["resize"].get(like)


def _known_filter(interpolation: str, info: ValidationInfo) -> str:
    like = info.data.get("resize_like", "")
    resize = _resize_class(like)
    filters = get_args(resize.model_fields["interpolation"].annotation) if resize else ()
    if resize and interpolation not in filters:
        raise wrong(f"is no filter of {like}", expected=", ".join(f"`{name}`" for name in filters))
    return interpolation


class Letterbox(Step):
    """``y[i + top, j + left] = resize(x)[i, j]``, ``fill`` around it.

    r = min(h / H, w / W) in float64, at most 1 without scaleup; the image becomes [round(H r), round(W r)], half to
    even and 1 at least (early releases fail there), by the resize of ``resize_like``, or stays as it is where that
    is its size. d = size - that, with auto d mod stride, with scale_fill 0 and the image becomes the size; top, left =
    round(d / 2 - 0.1), bottom, right = round(d / 2 + 0.1); without center top = left = 0. CUDA has no Pad for uint8:
    ONNX Runtime then pads on the CPU.

    Input: image, uint8.
    Output: uint8, the same layout and colour; H, W = size, with auto at most that.
    Rounds: as the resize does.
    Source: Ultralytics 8.3 and 8.4, data/augment.py LetterBox; OpenCV 5.0 and 4.14, Pillow 13.0.0.
    Raises: ContractError where the tensor is no uint8 image, the resize refuses it, or a side is 0. Where H and W are
        not known, running the graph fails in the Reshape of this step.
    """

    operation: ClassVar[str] = "letterbox"
    claims: ClassVar = {"ultralytics": CLAIMS["opencv-5"]}
    inherits: ClassVar[bool] = False
    planar: ClassVar[bool] = False
    geometric: ClassVar[bool] = True
    ways_back: ClassVar[tuple[str, ...]] = (LATER, BETWEEN, EARLIER)

    resize_like: Literal["opencv-5", "opencv-4", "pillow-13"] = parameter("whose resize; Ultralytics calls OpenCV's")
    size: Side | tuple[Side, Side] = parameter("of the result: the side of a square or [height, width], px", 640)
    auto: bool = parameter("whether the border is only as wide as `stride` needs", False)
    scale_fill: Annotated[bool, AfterValidator(_auto_alone)] = parameter(
        "whether the image is stretched to the size", False
    )
    scaleup: bool = parameter("whether a smaller image is made larger", True)
    stride: Side = parameter("with auto: the border is less than this, px", 32)
    center: bool = parameter("whether the image lies in the middle, else at the top left", True)
    fill: Annotated[int, Field(ge=0, le=255)] = parameter("value of the border, 0..255", 114)
    interpolation: Annotated[str, AfterValidator(_known_filter)] = parameter(
        "the filter, as the resize of `resize_like` names it", "bilinear"
    )

    def promise(self) -> Claim:
        """The library that makes the pixels."""
        return CLAIMS[self.resize_like]

    def _sides(self) -> tuple[int, int]:
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def _rule(self) -> LetterboxRule:
        return LetterboxRule(self._sides(), self.auto, self.scale_fill, self.scaleup, self.stride, self.center)

    def _resize(self, size: tuple[int, int]) -> Step:
        given = {"like": self.resize_like, "size": size, "interpolation": self.interpolation}
        given |= {"path": "native"} if self.resize_like.startswith("opencv") else {}  # as the claim says
        return catalogue()["resize"][self.resize_like].model_validate(given)

    def channels_alike(self, x: TensorSpec) -> bool:
        """One fill for all; the rest is the resize's."""
        return self._resize(self._sides()).channels_alike(x)

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """The size; with auto as far as that can be told."""
        (x,) = inputs
        refuse_unless_image(x, "uint8", hint="put `letterbox` before `rescale` and `to_dtype`")
        sides = "sides of at least 1 px"
        refuse_unless(0 not in (x.dim("H"), x.dim("W")), "has a side of 0", expected=sides, got=x)
        known, a = known_size(x), Arithmetic()
        if known is None:
            (y,) = self._resize(self._sides()).infer(x)
            height, width = (None, None) if self.auto else self._sides()
        else:
            placement = self._rule().place(a, lengths(*known))
            inside = a.two_ints(placement.resized) or (0, 0)
            (y,) = self._resize(inside).infer(x)
            y = x if inside == known else y
            height, width = a.two_ints(placement.border.sides(a, placement.resized)) or (None, None)
            if inside == (height, width):
                return (y,)
        return (with_fill(y.with_dims(H=height, W=width), float(self.fill)),)

    def emit(self, op: Ops, *inputs: Value) -> Value:
        """The resize where the size changes, then one Pad of bytes."""
        (x,) = inputs
        a = Arithmetic(op)
        sides = a.size(x, "HW")
        placement = self._rule().place(a, sides)
        x, new = refuse_at_run(op, x, a.Greater(sides, lengths(0))), placement.resized
        sizes = a.two_ints(new) or (None, None)
        y = self._resized(op, x, Geometry(a.Max(sides, lengths(1)), new, lengths(0, 0), new), sizes)
        inside = Value(y.name, x.spec.planar().with_dims(H=sizes[0], W=sizes[1]))
        return surround(op, inside, placement.border, "constant", float(self.fill))

    def frame_of(self, op: Ops, size: Value) -> tuple[Value, Value, Value]:
        """The gain before lengths are rounded, and the border before the image."""
        a = Arithmetic(op)
        placement = self._rule().place(a, size)
        gain = a.Mul(placement.gain, np.ones(2))
        return a.value(gain), a.value(placement.border.before), a.value(placement.border.sides(a, placement.resized))

    def way_back(self, op: Ops, frame: Frame, like: str) -> Frame:
        """As scale_boxes of that release of Ultralytics counts it."""
        a = Arithmetic(op)
        gain, offset = self._rule().back(a, frame.in_size, like)
        return Frame(frame.in_size, a.value(gain), a.value(offset))

    def _resized(self, op: Ops, x: Value, whole: Geometry, sizes: Sizes) -> Value:
        """Planar. Where only the run can tell that the size is right, one pixel is resized and the image taken.

        ONNX Runtime 1.31 crashes at load where it inlines an If that holds another one, as the resize would be.
        """
        a, resize = Arithmetic(op), self._resize(self._sides())
        if not isinstance(resize, Resizing):
            raise TypeError(f"resize like {self.resize_like!r} has no resample")
        equal = a.Equal(whole.sides, whole.resized)
        same = a.And(a.pick(equal, 0), a.pick(equal, 1))
        known = a.known(same)
        if known is not None and known.all():
            return in_planes(op, x)
        if known is not None or not self.resize_like.startswith("pillow"):  # OpenCV's copies by itself
            return resize.resample(op, x, whole, sizes)
        needed = a.Where(same, lengths(1, 1), whole.count)
        y = resize.resample(op, x, replace(whole, count=needed), (None, None))
        return op.branch(a.value(a.scalar(same)), lambda: in_planes(op, x), lambda: y)

    def oracle(self, *inputs: Tensor) -> Array:
        """LetterBox as Ultralytics wrote it, around OpenCV's or Pillow's own functions."""
        (x,) = inputs
        geometry = (self._sides(), self.auto, self.scale_fill, self.scaleup, self.stride, self.center)
        return letterboxed(x, self.resize_like, geometry, self.fill, self.interpolation)

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Up, down, not at all, by a half; every parameter; odd borders, one pixel, every layout."""
        return cases(tuple(CLAIMS))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:  # noqa: ARG003
        """Random parameters; one image in five is not resized."""
        return draw(tuple(CLAIMS), rng, largest)
