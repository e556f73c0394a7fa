"""What the steps on colours share: which colours they take, what to say of the others, one plane after the other."""

from __future__ import annotations

from collections.abc import Sequence

from onnxprep.step import Ops, Value, refuse_unless
from onnxprep.tensor import CHANNELS, TensorSpec

_TO_RGB = {
    "BGR": "`convert_color` gives RGB",
    "RGBA": "`drop_alpha` and `composite_alpha` give RGB",
    "GRAY": "`gray_to_rgb` gives RGB",
    None: "declare the colour of the input",
}


def refuse_unless_color(x: TensorSpec, *colors: str) -> None:
    """Raises a ContractError unless ``x`` is of one of the colours and may have as many channels."""
    refuse_unless(
        x.color in colors, "has another colour", expected=" or ".join(colors), got=x, hint=_TO_RGB.get(x.color, "")
    )
    channels = CHANNELS[str(x.color)]
    refuse_unless(x.dim("C") in (channels, None), "has another number of channels", expected=f"C = {channels}", got=x)


def refuse_unless_three_channels(x: TensorSpec, what: str) -> None:
    """Raises a ContractError unless ``x`` has three channels that are declared to be no RGB, BGR, RGBA or GRAY."""
    refuse_unless(x.color is None, f"is {x.color}", expected=f"{what}, which declares no colour", got=x)
    refuse_unless(x.dim("C") == 3, "has another number of channels", expected=f"C = 3, {what}", got=x)


def planes(op: Ops, x: Value, count: int) -> tuple[Value, ...]:
    """The channels of a planar image, C = 1 each; bytes while they are bytes, for that is a copy.

    Not by Split: ONNX Runtime moves the Transpose before it behind it, and would pick every third byte.
    """
    return tuple(op.Gather(x, op.int64([c]), axis=x.spec.axis("C")) for c in range(count))


def together(op: Ops, channels: Sequence[Value], like: Value) -> Value:
    """The channels of an image that lies like another one."""
    return op.Concat(*channels, axis=like.spec.axis("C"))
