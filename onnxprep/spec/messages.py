"""A step's parameters, checked; what was wrong in the house's own words, with the path."""

from __future__ import annotations

import difflib
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from onnxprep.errors import SpecError
from onnxprep.step import Step

_EXPECTED = {
    "int_type": "a whole number", "int_from_float": "a whole number", "int_parsing": "a whole number",
    "float_type": "a number", "finite_number": "a finite number", "string_type": "text",
    "bool_type": "true or false", "tuple_type": "a list", "list_type": "a list",
    "dict_type": "a mapping", "model_type": "a mapping", "model_attributes_type": "a mapping",
    "none_required": "null",
}  # fmt: skip

_FEW, _MOST, _LONGEST = 20, 1000, 200  # an error in a huge document is found fast and told in few words


_ELSEWHERE = {
    "linear": "bilinear", "cubic": "bicubic", "inter_linear": "bilinear", "inter_cubic": "bicubic", "inter_area": "area",
    "inter_nearest": "nearest", "inter_lanczos4": "lanczos4", "inter_linear_exact": "bilinear_exact",
    "inter_nearest_exact": "nearest_exact", "lanczos3": "lanczos", "antialias": "bilinear",
    "totensor": "rescale", "to_tensor": "rescale", "todtype": "to_dtype", "centercrop": "center_crop",
    "permute": "to_layout", "transpose": "to_layout", "shortest_edge": "shorter_edge", "cvtcolor": "convert_color",
    "mobilenet": "tf", "mobilenet_v2": "tf", "inception_v3": "tf", "xception": "tf", "resnet_v2": "tf", "nasnet": "tf",
    "resnet": "caffe", "resnet50": "caffe", "vgg16": "caffe", "vgg19": "caffe", "densenet": "torch",
    "pillow-11": "pillow-12", "pillow-10": "pillow-12",
    "yolov9": "yolov8", "yolo11": "yolov8", "yolov11": "yolov8", "yolo12": "yolov8", "yolov12": "yolov8",
    "yolov5u": "yolov8", "detr": "transformers-detr", "rtdetr": "transformers-rt-detr", "rt-detr": "transformers-rt-detr",
    "ssd": "torchvision-ssd", "retinanet": "torchvision-retinanet", "non_max_suppression": "nms", "batched_nms": "nms",
    "conf": "score_threshold", "conf_thres": "score_threshold", "iou": "iou_threshold", "max_det": "max_detections",
}  # fmt: skip
"""What other libraries call it -> our word."""


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """``did you mean `resize`?``, or nothing where no word is near; all that begin with the word, if several do."""
    known = list(itertools.islice(words, _MOST))
    elsewhere = _ELSEWHERE.get(word[:_LONGEST].lower(), "")
    if elsewhere in known:
        return f"here it is called `{elsewhere}`"
    begun = [known_word for known_word in known if word and known_word.startswith(word)]
    near = begun[:4] if len(begun) > 1 else difflib.get_close_matches(word[:_LONGEST], known, n=1)
    return f"did you mean {' or '.join(f'`{near_word}`' for near_word in near)}?" if near else ""


def listed(words: Iterable[str]) -> str:
    """The words a message offers; of many, the first."""
    few = list(itertools.islice(words, _FEW + 1))
    return ", ".join([f"`{word}`" for word in few[:_FEW]] + (["..."] if len(few) > _FEW else []))


def shown(value: Any) -> str:
    """A value as it is quoted in a message: short, on one line, in ASCII."""
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def validated(cls: type[Step], parameters: Mapping[str, Any], like: str) -> Step:
    """The step, if its parameters are right.

    Raises:
        SpecError: they are not; ``at`` is the path inside the parameters.
    """
    try:
        return cls.model_validate_json(json.dumps({**parameters, "like": like}))
    except ValidationError as error:
        problems = [_Problem(cls, parameters, dict(details)) for details in error.errors(include_url=False)]
    raise _most_telling(problems)


class _Problem:
    """One of pydantic's findings, put our way."""

    def __init__(self, cls: type[Step], parameters: Mapping[str, Any], details: dict[str, Any]) -> None:
        self.cls, self.parameters, self.kind = cls, parameters, str(details["type"])
        self.context = details.get("ctx", {})
        loc = details["loc"]
        self.path, self.value = _located(loc, parameters)
        self.place = loc[-1] if self.kind == "missing" and isinstance(loc[-1], int) else -1

    @property
    def at(self) -> str:
        joined = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.path)
        return joined.removeprefix(".") + str(self.context.get("at", ""))

    @property
    def expected(self) -> str:
        low_high = {"greater_than": ">", "greater_than_equal": ">=", "less_than": "<", "less_than_equal": "<="}
        bounds = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}
        if self.kind in bounds:
            return f"a number {low_high[self.kind]} {self.context[bounds[self.kind]]}"
        if self.kind == "literal_error":
            return str(self.context["expected"]).replace("'", "`")
        if self.kind == "missing":  # the place in a list of fixed length
            return f"{self.place + 1} values"
        if self.kind in ("too_short", "too_long"):
            few = "at least" if self.kind == "too_short" else "at most"
            return f"{few} {self.context.get('min_length', self.context.get('max_length'))} values"
        return str(self.context.get("expected", _EXPECTED.get(self.kind, "")))

    def error(self, expected: str) -> SpecError:
        name = str(self.path[-1]) if self.path else ""
        if self.kind == "missing" and self.place < 0:
            info = self.cls.parameters().get(name)
            return SpecError("is missing", at=self.at, expected=(info.description if info else "") or "")
        if self.kind == "extra_forbidden":
            known = list(self.cls.parameters())
            return SpecError(
                f"is not a parameter of `{self.cls.operation}`",
                at=self.at,
                expected=", ".join(f"`{k}`" for k in known) or "no parameters",
                hint=did_you_mean(name, known),
            )
        if self.kind == "onnxprep":
            return SpecError(self.context["problem"], at=self.at, expected=expected, hint=self.context["hint"])
        hint = did_you_mean(self.value, expected.split("`")[1::2]) if isinstance(self.value, str) else ""
        if self.kind == "string_type" and isinstance(self.value, bool | int | float):
            hint = "quote it"
        return SpecError(f"is {shown(self.value)}", at=self.at, expected=expected, hint=hint)


def _located(loc: tuple[int | str, ...], parameters: Mapping[str, Any]) -> tuple[list[int | str], Any]:
    """The part of pydantic's location that exists in the document: it also names the branches of a union."""
    path: list[int | str] = []
    value: Any = parameters
    for part in loc:
        inside = (isinstance(value, list) and isinstance(part, int) and part < len(value)) or (
            isinstance(value, dict) and part in value
        )
        if inside:
            path.append(part)
            value = value[part]
        elif part == loc[-1] and isinstance(value, Mapping) and isinstance(part, str):
            path.append(part)  # a key that is missing
    return path, value


def _most_telling(problems: list[_Problem]) -> SpecError:
    """A union reports every branch: our own finding first, then the deepest; branches of one place are joined."""
    rank = {"onnxprep": 0, "extra_forbidden": 1}
    first = min(problems, key=lambda p: (rank.get(p.kind, 2), -len(p.path)))
    same = [p for p in problems if p.at == first.at and p.expected and p.kind != "extra_forbidden"]
    short = max((p.place for p in same), default=-1)  # of several that are missing the last tells the length
    told = dict.fromkeys(p.expected for p in same if p.kind != "missing" or p.place == short)
    expected = " or ".join(told) if first.kind != "onnxprep" else first.expected
    return first.error(expected)
