"""Documents for the tests of the spec: short ones, random ones, and steps of another distribution."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from onnxprep.errors import SpecError
from onnxprep.spec.document import Spec

X = "inputs: [{name: x, dtype: float32, layout: NC, shape: [N, 10]}]\n"
IMAGE = "inputs: [{name: image, dtype: uint8, layout: NHWC, color: RGB, shape: [N, H, W, 3]}]\n"


def load(body: str, **options: Any) -> Spec:
    return Spec.load("onnxprep: 1\n" + body, **options)


def refused(body: str, **options: Any) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load(body, **options)
    return caught.value


def values(spec: Spec) -> list[tuple[str, tuple[str, ...] | None, tuple[str, ...] | None]]:
    return [(entry.name, entry.inputs, entry.outputs) for entry in (*spec.preprocess, *spec.postprocess)]


# operations for these tests alone, installed as a distribution installs them ---------------------------------------

STEPS = '''
from typing import ClassVar
from onnxprep.step import Claim, Step, parameter

class Pair(Step):
    """Takes what top_k makes."""
    operation: ClassVar[str] = "pair"
    claims: ClassVar = {"": Claim("none", "", "")}
    inputs: ClassVar[tuple[str, ...]] = ("values", "indices")
    outputs: ClassVar[tuple[str, ...]] = ("values", "rest")

class Sharpen(Step):
    """Has had one parameter from the beginning."""
    operation: ClassVar[str] = "sharpen"
    claims: ClassVar = {"": Claim("none", "", "")}
    amount: float = parameter("how much", 1.0)
'''
NEWER = '    radius: int = parameter("how far", 1, added=True)\n'


# random documents -----------------------------------------------------------------------------------------------------

_CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(_CHARACTERS, max_size=8)
_FLOATS = st.floats(min_value=1e-30, max_value=1e30) | st.integers(1, 10**6)
_NAMES = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=6).map("v ".__add__)
_STEPS = st.one_of(
    st.just(("softmax", {})),
    st.fixed_dictionaries({"axis": st.integers(-4, 3), "precision": st.sampled_from(["float32", "float64"])}).map(lambda p: ("softmax", p)),
    st.integers(1, 10**6).map(lambda k: ("top_k", {"k": k})),
    st.just(("argmax", {})),
    _FLOATS.map(lambda value: ("threshold", {"value": value})),
    st.lists(_FLOATS, min_size=1, max_size=4).map(lambda v: ("normalize", {"mean": v, "std": v[::-1], "like": "numpy"})),
    st.lists(TEXTS, min_size=1, max_size=5).map(lambda names: ("labels", {"names": names})),
    st.sampled_from(["NCHW", "NHWC"]).map(lambda layout: ("to_layout", {"layout": layout})),
    st.tuples(*[st.integers(1, 99)] * 2).map(lambda size: ("center_crop", {"size": list(size), "like": "timm"})),
)  # fmt: skip


@st.composite
def sides(draw: st.DrawFn, start: list[str], prefix: str) -> list[Any]:
    """Steps in any of the three forms, some named, some renaming what they make, some taking what they name."""
    steps: list[Any] = []
    known = list(start)
    for i in range(draw(st.integers(0, 4))):
        operation, parameters = draw(_STEPS)
        form = draw(st.sampled_from(["short", "long"]))
        if form == "short":
            steps.append({operation: parameters} if parameters or draw(st.booleans()) else operation)
            continue
        entry: dict[str, Any] = {"operation": operation, "parameters": parameters}
        if draw(st.booleans()):
            entry["name"] = f"{prefix}-{i}"
        if known and draw(st.booleans()):
            entry["inputs"] = [draw(st.sampled_from(known))]
        if draw(st.booleans()):
            ports = 2 if operation in ("top_k", "argmax") else 1
            entry["outputs"] = [f"{prefix} {i} {draw(_NAMES)} {port}" for port in range(ports)]
            known += entry["outputs"]
        steps.append(entry)
    return steps


def _ranges(dtype: str) -> Any:
    highest = st.integers(2, 255) if dtype == "uint8" else st.just(10**31)
    lowest = st.floats(0, 2) if dtype == "uint8" else _FLOATS
    return st.none() | st.tuples(lowest, highest).map(list)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(_NAMES, min_size=1, max_size=3, unique=True))
    dims = st.integers(1, 2**31 - 1) | st.sampled_from(["N", "H", "_w1"]) | st.none()
    dtypes = st.sampled_from(["uint8", "float32", "string"])
    inputs = [
        {"name": name, "dtype": (dtype := draw(dtypes)), "shape": draw(st.lists(dims, max_size=4)), "range": draw(_ranges(dtype))}
        for name in names
    ]  # fmt: skip
    document: dict[str, Any] = {"onnxprep": 1, "inputs": inputs}
    document["preprocess"] = draw(sides(names, "pre"))
    document["postprocess"] = draw(sides([*names, "logits"], "post"))
    if draw(st.booleans()):
        document["outputs"] = draw(st.lists(_NAMES, min_size=1, max_size=3, unique=True))
    document["model"] = {"inputs": draw(st.dictionaries(TEXTS, _NAMES, max_size=2))}
    return document | {"name": draw(TEXTS), "provenance": draw(st.dictionaries(TEXTS, TEXTS, max_size=2))}


MANY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
