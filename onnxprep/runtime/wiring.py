"""Wiring: the steps taken out and put in again, in memory. What then differs has been changed since export.

The nodes between are the digest's business: files of other versions hold other nodes and are no worse for it. Here it is
what the file takes and gives, what it imports, and which tensors join steps and body.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from onnx import ModelProto, NodeProto, ValueInfoProto

from onnxprep.errors import OnnxprepError, ParityError
from onnxprep.graph import names, undo
from onnxprep.graph.attach import emit, splice
from onnxprep.graph.fit import fit
from onnxprep.graph.image_keys import image_entries
from onnxprep.graph.lengths import misdeclared
from onnxprep.graph.lost import refuse_renamed
from onnxprep.graph.opset import default_opset, needs
from onnxprep.graph.signature import initialized_names
from onnxprep.graph.stack import stack
from onnxprep.runtime.nodes import DAMAGED, difference
from onnxprep.spec.document import Spec
from onnxprep.spec.plan import Plan


def stripped(model: ModelProto) -> undo.Stripped:
    """The model without the steps.

    Raises:
        ParityError: they cannot be taken out as they were put in.
    """
    try:
        refuse_renamed(model)
    except OnnxprepError as error:
        raise error.told_as(ParityError) from None
    try:
        return undo.strip(model)
    except OnnxprepError as error:
        problem = f"steps and body are not joined as export did it: {error.problem}"
        raise ParityError(problem, at=error.at, hint=DAMAGED) from None


def attached(model: ModelProto, spec: Spec, without: undo.Stripped, *, same_writer: bool) -> tuple[ModelProto, Plan]:
    """The steps put in again, at the opset that export would choose. The stripped model itself is changed.

    Raises:
        OnnxprepError, TypeError: they do not fit the body as it is now.
    """
    original = without.model
    if without.stacked:
        stack(original)
    plan = fit(spec, original).plan
    own, wanted = default_opset(original), default_opset(model)
    number = needs(plan) if own is not None and own < needs(plan) else None
    if not same_writer and wanted is not None and wanted >= max(own or 0, number or 0):
        number = wanted  # another version may have needed more for the same step
    splice(original, plan, emit(original, plan, number))
    return original, plan


def check(model: ModelProto, again: ModelProto, plan: Plan, keys: Sequence[str], *, same_writer: bool) -> None:
    """Compares everything but our nodes.

    Args:
        model: the file.
        again: what ``attached`` gave.
        plan: of the steps.
        keys: metadata keys of ONNX's own that came with the steps.
        same_writer: whether the file was written by this version; others may declare lengths in other words.

    Raises:
        ParityError: the first difference.
    """
    written: Callable[[ValueInfoProto], object] = _type if same_writer else _outline
    for part in ("input", "output"):
        found, wanted = _declared(model, part), _declared(again, part)
        _compare_names(part, [info.name for info in found], [info.name for info in wanted])
        for a, b in zip(found, wanted, strict=True):
            if written(a) != written(b):
                raise _changed(f"the graph's {part} has another type", a.name, _shown(b), _shown(a))
    imports, expected = (sorted((o.domain, o.version) for o in m.opset_import) for m in (model, again))
    if imports != expected:
        raise _changed("imports other operator sets", "model.opset_import", str(expected), str(imports))
    _compare_keys(model, plan, keys)
    _compare_joints(model, again)
    name = misdeclared(model, again) if same_writer else ""
    if name:
        raise _changed("is declared to be of another type or shape than the nodes give, and is believed", name)


def _declared(model: ModelProto, part: str) -> list[ValueInfoProto]:
    """Inputs and outputs; an input that an initializer stands for is none."""
    if part == "output":
        return list(model.graph.output)
    initialized = initialized_names(model)
    return [info for info in model.graph.input if info.name not in initialized]


def _compare_names(part: str, found: list[str], wanted: list[str]) -> None:
    if found == wanted:
        return
    gone = [name for name in wanted if name not in found]
    new = [name for name in found if name not in wanted]
    if gone:
        problem = f"is no {part} of the graph any more"
    elif new:
        problem = f"is an {part} of the graph that export did not make"
    else:
        problem = f"the graph's {part}s stand in another order"
    raise _changed(problem, (gone or new or [f"model.graph.{part}"])[0], ", ".join(wanted), ", ".join(found))


def _type(info: ValueInfoProto) -> object:
    return info.type.SerializeToString(deterministic=True)


def _outline(info: ValueInfoProto) -> object:
    """Kind, element type and rank, with the lengths that are numbers."""
    tensor = info.type.tensor_type
    dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    return info.type.WhichOneof("value"), tensor.elem_type, dims


def _shown(info: ValueInfoProto) -> str:
    return " ".join(str(info.type).split())[:200]


def _compare_keys(model: ModelProto, plan: Plan, keys: Sequence[str]) -> None:
    """ONNX's image keys, where export wrote them."""
    expected = image_entries(ModelProto(), plan)
    for key in keys:
        found = [entry.value for entry in model.metadata_props if entry.key == key]
        if key in expected and found != [expected[key]]:
            raise _changed("does not say what the spec says", key, expected[key], ", ".join(found) or "nothing")


def _compare_joints(model: ModelProto, again: ModelProto) -> None:
    """The body's nodes read and make the tensors that they did."""
    found, wanted = (_body(m) for m in (model, again))
    for a, b in zip(found, wanted, strict=False):
        if a != b:
            raise _changed(f"is not joined to the steps as export did it: {difference(a, b)}", a.name or a.op_type)
    if len(found) != len(wanted):
        raise _changed("holds other nodes than export left there", "model.graph", str(len(wanted)), str(len(found)))


def _body(model: ModelProto) -> list[NodeProto]:
    return [node for node in model.graph.node if not names.is_ours(node)]


def _changed(problem: str, at: str, expected: str = "", got: str = "") -> ParityError:
    return ParityError(problem, at=at, expected=expected, got=got, hint=DAMAGED)
