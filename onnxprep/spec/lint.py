"""What a plan does that fits together and still is nearly always a mistake. Nothing crashes on it, so it is said here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from onnxprep.errors import ContractError
from onnxprep.spec.plan import Plan, PlannedStep
from onnxprep.step import Step
from onnxprep.tensor import TensorSpec

_NORMALIZING = ("normalize", "rescale_normalize")
_FRACTION = 16
"""Floats whose range is narrower were scaled or normalised: as integers they are a handful of numbers."""
_RESIZING = ("resize", "letterbox")
_RGB_ORDER = (
    (0.485, 0.456, 0.406), (123.675, 116.28, 103.53), (123.68, 116.779, 103.939),
    (0.48145466, 0.4578275, 0.40821073),
)  # fmt: skip
"""Means everybody uses, red first: ImageNet's in 0..1 and 0..255, Keras' caffe mode, CLIP's."""


def lint(plan: Plan) -> tuple[str, ...]:
    """One line per doubt: where, what, and what was probably meant."""
    return tuple(doubt for rule in _RULES for doubt in rule(plan))


def refuse_doubts(doubts: tuple[str, ...]) -> None:
    """What ``--strict`` makes of them.

    Raises:
        ContractError: there is one.
    """
    if doubts:
        at, _, problem = doubts[0].partition(": ")
        hint = "drop --strict if it is meant"
        raise ContractError(problem, at=at, got="; ".join(doubts[1:]) and f"and {'; '.join(doubts[1:])}", hint=hint)


def _undeclared(plan: Plan) -> Iterator[str]:
    """An image whose colour, or a float image whose range, no step and no input declares."""
    for i, name in enumerate(plan.inputs):
        spec = plan.values[name]
        if not spec.is_image:
            continue
        if spec.color is None and spec.dim("C") in (1, 3, 4, None):
            yield f"inputs[{i}]: no color is declared: whoever feeds {name} has to guess; add `color: RGB`, BGR, RGBA or GRAY"
        if spec.dtype.startswith("float") and spec.range is None:
            yield f"inputs[{i}]: no range is declared: 0..1 and 0..255 both fit {name}; add `range: [0, 1]` or `range: [0, 255]`"


def _wrong_unit(plan: Plan) -> Iterator[str]:
    """Mean and std of another unit than the image: what comes out is far from 0, or hardly varies."""
    for step in plan.side("pre"):
        given, gives = step.given[0].range if step.given else None, step.gives[0].range
        if step.step.operation not in _NORMALIZING or given is None or gives is None:
            continue
        told = (
            f"{step.path}: `{step.step.operation}` makes {gives[0]:.4g}..{gives[1]:.4g} of {given[0]:g}..{given[1]:g}"
        )
        std = _numbers(step.step, "std") or _numbers(step.step, "variance")
        small = bool(std) and all(abs(s) < 1 for s in std)
        if small and max(map(abs, gives)) > 20:
            yield f"{told}: mean and std look like those of 0..1; put `rescale` before it, or multiply both by 255"
        elif gives[1] - gives[0] < 0.5 or gives[0] > 5 or gives[1] < -1.5:
            yield f"{told}: mean and std look like those of 0..255; divide both by 255, or put `to_dtype: {{dtype: float32}}` in the place of `rescale`"


def _fused(plan: Plan) -> Iterator[str]:
    """Two steps of which the library makes one, with other last bits."""
    for step, before in _with_ancestors(plan):
        fused = step.step.operation == "normalize" and step.step.like == "transformers-torchvision"
        last = before[-1] if before else None
        if fused and last is not None and last.step.operation == "rescale" and not getattr(last.step, "offset", False):
            yield f"{step.path}: `normalize` follows `rescale` like transformers-torchvision: that library fuses the two into other numbers, `rescale_normalize`"


def _twice(plan: Plan) -> Iterator[str]:
    """Normalised twice, or scaled to 0..1 twice."""
    for step, before in _with_ancestors(plan):
        if step.step.operation in _NORMALIZING:
            for other in before:
                if other.step.operation in _NORMALIZING:
                    yield f"{step.path}: `{step.step.operation}` follows {other.path} `{other.step.operation}`: normalised twice"
        span, gives = (step.given[0].range if step.given else None), step.gives[0].range
        if (
            step.step.operation == "rescale"
            and span
            and gives
            and max(map(abs, span)) <= 1
            and max(map(abs, gives)) < 0.1
        ):
            yield f"{step.path}: `rescale` of an image that is {span[0]:g}..{span[1]:g} already: scaled twice"


def _channel_order(plan: Plan) -> Iterator[str]:
    """A mean that is well known, in the order of the other colour."""
    for step, mean in _normalized(plan):
        for known in _RGB_ORDER:
            if len(mean) != len(known):
                continue
            forward, backward = _near(mean, known), _near(mean, known[::-1])
            color = step.given[0].color
            if backward and color == "RGB":
                yield f"{step.path}: mean {list(mean)} is in the order B, G, R, its input is RGB: reverse mean and std, or put `convert_color: {{to: BGR}}` before it"
            if forward and color == "BGR":
                yield f"{step.path}: mean {list(mean)} is in the order R, G, B, its input is BGR: put `convert_color: {{to: RGB}}` before it, or reverse mean and std"


def _resized_late(plan: Plan) -> Iterator[str]:
    """A resize of what is no longer a picture: libraries resize bytes, and edges that were padded count as values."""
    for step, before in _with_ancestors(plan):
        late = next((other for other in before if other.step.operation in _NORMALIZING), None)
        on_floats = step.step.like == "torch"  # what people write in a wrapped module
        if step.step.operation in _RESIZING and late is not None and not on_floats:
            yield f"{step.path}: `{step.step.operation}` comes after {late.path} `{late.step.operation}`: put it before, as training code does"


def _bgr(plan: Plan) -> Iterator[str]:
    """Declaring BGR converts nothing: few models want it, and nothing else would say so."""
    if any(step.gives[0].color == "BGR" != step.given[0].color for step in plan.side("pre") if step.given):
        return  # a step makes it so: that is meant
    for name in plan.feeds.values() or plan.outputs:  # without a model, what comes out
        if plan.values[name].color == "BGR":
            yield f"{name}: reaches the model as BGR: put `convert_color: {{to: RGB}}` first, unless the model was trained on BGR"


def _cast(plan: Plan) -> Iterator[str]:
    """Numbers that an integer keeps little of."""
    for step in plan.steps:
        if step.step.operation != "to_dtype" or "int" not in step.gives[0].dtype:
            continue
        given, gives = step.given[0], step.gives[0]
        if is_fraction(given):
            yield f"{step.path}: `to_dtype` casts values of {span_of(given)} to integers: a model of {gives.dtype} takes the pixels; leave out what scales them"
        elif given.range and gives.range and gives.range[1] - gives.range[0] < 0.75 * (given.range[1] - given.range[0]):
            yield f"{step.path}: `to_dtype` clips {span_of(given)} to {span_of(gives)}: bring them into that range before it"


def _probabilities(plan: Plan) -> Iterator[str]:
    """What is 0..1 already has been through a softmax or a sigmoid."""
    for step in plan.steps:
        span = step.given[0].range if step.given else None
        if step.step.operation == "softmax" and span and span[0] >= 0 and span[1] <= 1:
            yield f"{step.path}: `softmax` of what is {span_of(step.given[0])} already: twice?"


def _box_unit(plan: Plan) -> Iterator[str]:
    """Boxes in 0..1 that are taken for pixels, or the other way round: they all end in one corner, or outside."""
    decoded: dict[str, str] = {}
    for step in plan.side("post"):
        own = step.step.like if step.step.operation == "decode_boxes" else ""
        like = own or decoded.get(step.inputs[0], "")
        decoded |= dict.fromkeys(step.outputs, like)
        if step.step.operation != "scale_boxes" or not like:
            continue
        unit, wanted = ("0..1", "normalized") if like.startswith("transformers-") else ("px", "pixels")
        if getattr(step.step, "coordinates", wanted) != wanted:
            yield f"{step.path}: boxes of `decode_boxes` like {like} are in {unit}: `coordinates: {wanted}`"


def is_fraction(tensor: TensorSpec) -> bool:
    """Whether it holds floats of a range that pixels do not have."""
    return "float" in tensor.dtype and tensor.range is not None and tensor.range[1] - tensor.range[0] < _FRACTION


def span_of(tensor: TensorSpec) -> str:
    """``-2.118..2.64``; ``?`` where the range is not known."""
    return "?" if tensor.range is None else f"{tensor.range[0]:.4g}..{tensor.range[1]:.4g}"


_RULES: tuple[Callable[[Plan], Iterator[str]], ...] = (
    _undeclared, _wrong_unit, _fused, _twice, _channel_order, _resized_late, _bgr, _cast, _probabilities,
    _box_unit,
)  # fmt: skip


def _normalized(plan: Plan) -> Iterator[tuple[PlannedStep, tuple[float, ...]]]:
    """The steps that have a mean, with it."""
    for step in plan.side("pre"):
        mean = _numbers(step.step, "mean") if step.step.operation in _NORMALIZING else ()
        if mean:
            yield step, mean


def _numbers(step: Step, name: str) -> tuple[float, ...]:
    value = getattr(step, name, None)
    return tuple(value) if isinstance(value, tuple) else ()


def _near(mean: tuple[float, ...], known: tuple[float, ...]) -> bool:
    return all(abs(m - k) <= 0.01 * abs(k) for m, k in zip(mean, known, strict=True))


def _with_ancestors(plan: Plan) -> Iterator[tuple[PlannedStep, list[PlannedStep]]]:
    """Each preprocess step with those that its first input came through."""
    made: dict[str, list[PlannedStep]] = {}
    for step in plan.side("pre"):
        before = [other for name in step.inputs for other in made.get(name, [])]
        yield step, before
        for name in step.outputs:
            made[name] = [*before, step]
