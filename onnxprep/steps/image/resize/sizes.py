"""The parameter ``size``: every rule in one type, its short forms, and what is wrong with the others."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Discriminator, Tag

from onnxprep.step import wrong
from onnxprep.steps.image.arithmetic import Arithmetic, Number, lengths
from onnxprep.steps.image.resize._sizes import longer, ppocr, shorter
from onnxprep.steps.image.resize._sizes.rule import Pair, Side, SizeRule

_MAINS = ("shorter_edge", "longest_edge", "fit", "multiple")  # in this order: other rules have a `multiple` too
_FORMS = "256, [height, width], or a mapping with shorter_edge, longest_edge, fit or multiple"


_HINT = (
    "transformers' shortest_edge is `{shorter_edge: 224, rule: torchvision}`, its height and width are [height, width]"
)


def _tag_of(size: Any) -> str:
    if isinstance(size, SizeRule):
        return f"{size.main}/{size.rule}"
    return "exact" if not isinstance(size, dict) else f"{_main(size)}/{size['rule']}"


def _main(size: dict[str, Any]) -> str:
    return next((key for key in _MAINS if key in size), "")


def _long_form(size: Any) -> Any:
    """The short forms written out; what fits no rule is refused here, before pydantic would list every rule."""
    if isinstance(size, SizeRule):
        return size
    if isinstance(size, int) and not isinstance(size, bool):
        size = {"shorter_edge": size, "rule": "torchvision"}
    if isinstance(size, list | tuple):
        return _pair(size, "")
    if not isinstance(size, dict):
        raise wrong("is no size", expected=_FORMS)
    return _checked(size)


def _checked(size: dict[str, Any]) -> dict[str, Any]:
    main = _main(size)
    if not main:
        raise wrong("says no length", expected=_FORMS, hint=_HINT if {"shortest_edge", "height"} & set(size) else "")
    known = {rule.name(): rule for rule in _RULES if rule.main == main}
    names = ", ".join(f"`{name}`" for name in known)
    size = {"rule": "fit", **size} if main == "fit" else size
    if "rule" not in size:
        raise wrong(
            "is missing", at=".rule", expected=names, hint="libraries round differently: name the one to follow"
        )
    if not isinstance(size["rule"], str) or size["rule"] not in known:
        raise wrong("is no rule for this size", at=".rule", expected=names)
    fields = known[size["rule"]].model_fields
    for key in size:
        if key not in fields:
            expected = ", ".join(f"`{name}`" for name in fields)
            raise wrong("is not a key of this rule", at=f".{key}", expected=expected)
    for key, field in fields.items():
        if field.is_required() and key not in size:
            raise wrong("is missing", at=f".{key}", expected=str(field.description))
    return {key: _pair(value, f".{key}") if isinstance(value, list) else value for key, value in size.items()}


def _pair(values: list[Any] | tuple[Any, ...], at: str) -> tuple[Any, ...]:
    if len(values) != 2:
        raise wrong(f"has {len(values)} values", at=at, expected="[height, width], px")
    return tuple(values)


_Rule = (
    Annotated[Pair, Tag("exact")]
    | Annotated[shorter.ShorterTorchvision, Tag("shorter_edge/torchvision")]
    | Annotated[shorter.ShorterCeil, Tag("shorter_edge/shorter_ceil")]
    | Annotated[shorter.ShorterHalfEven, Tag("shorter_edge/half_even")]
    | Annotated[shorter.ShorterRoundCeil, Tag("shorter_edge/shorter_round_ceil")]
    | Annotated[shorter.ShorterDetr, Tag("shorter_edge/detr")]
    | Annotated[shorter.ShorterDetrCeil, Tag("shorter_edge/detr_ceil")]
    | Annotated[shorter.ShorterYolos, Tag("shorter_edge/yolos")]
    | Annotated[shorter.ShorterVilt, Tag("shorter_edge/vilt")]
    | Annotated[ppocr.ShorterPpocrDet, Tag("shorter_edge/ppocr_det")]
    | Annotated[longer.LongestTorchvision, Tag("longest_edge/torchvision")]
    | Annotated[longer.LongestHalfUp, Tag("longest_edge/half_up")]
    | Annotated[longer.LongestHalfEven, Tag("longest_edge/half_even")]
    | Annotated[longer.LongestFloor, Tag("longest_edge/floor")]
    | Annotated[ppocr.LongestPpocrDet, Tag("longest_edge/ppocr_det")]
    | Annotated[longer.Fit, Tag("fit/fit")]
    | Annotated[longer.FitThumbnail, Tag("fit/thumbnail")]
    | Annotated[longer.FitTimm, Tag("fit/timm")]
    | Annotated[longer.FitPatches, Tag("fit/patches")]
    | Annotated[longer.FitDpt, Tag("fit/dpt")]
    | Annotated[ppocr.FitPpocrRec, Tag("fit/ppocr_rec")]
    | Annotated[longer.FloorMultiple, Tag("multiple/floor_multiple")]
    | Annotated[longer.Smart, Tag("multiple/smart")]
)
_RULES: tuple[type[SizeRule], ...] = tuple(get_args(member)[0] for member in get_args(_Rule)[1:])
Size = Annotated[_Rule, Discriminator(_tag_of), BeforeValidator(_long_form, json_schema_input_type=Side | _Rule)]
"""``[height, width]`` or a rule; written ``256`` it means torchvision's shorter edge."""


def resized(size: Pair | SizeRule, a: Arithmetic, sides: Number) -> Number:
    """(h, w) of an image of ``sides``, int64 [2]."""
    return size.resized(a, sides) if isinstance(size, SizeRule) else lengths(*size)


def at_least(size: Pair | SizeRule) -> tuple[int, int]:
    """What (h, w) are at least, whatever the image."""
    return (size.at_least(), size.at_least()) if isinstance(size, SizeRule) else size
