"""Plan + model -> one model. The body is not rewritten: our last node takes over the name the model already reads.

Names change in our own nodes only, with one exception: where the spec gives a graph input or output a name that another
tensor of the body has, that tensor is renamed to ``onnxprep/body.<name>``, everywhere; the name itself says how to undo it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from onnx import ModelProto, NodeProto, ValueInfoProto, helper

from onnxprep.emit import Emitter, type_proto
from onnxprep.errors import ContractError
from onnxprep.graph import metadata, names
from onnxprep.graph.fragment import emit_steps, read_by, without_unused
from onnxprep.graph.guard import guarded, uncertain
from onnxprep.graph.opset import default_opset, needs, raise_opset
from onnxprep.graph.signature import described, initialized_names, is_tensor, signature
from onnxprep.graph.symbols import declared
from onnxprep.spec.plan import Plan, Side, Signature
from onnxprep.step import Value
from onnxprep.tensor import TensorSpec

_LOWEST = 11  # for a model that imports no ai.onnx at all

BODY = names.PREFIX + "body."
"""What the names of renamed body tensors begin with; the rest is the name they had."""


def attach(model: ModelProto, plan: Plan, opset: int | None = None) -> ModelProto:
    """A copy of the model with the plan's steps before and behind it.

    Args:
        model: the user's model; not changed.
        plan: the steps, with bound symbols as numbers.
        opset: the ai.onnx opset to write for, if not the model's own; the copy then carries this number. Whether the
            body means the same there has been settled before (``opset.restampable``).

    Raises:
        ContractError: the model has steps already, its opset is too low for a step, or a name is taken.
    """
    refuse_augmented(model)
    joined = ModelProto()
    joined.CopyFrom(model)
    splice(joined, plan, emit(joined, plan, opset))
    return joined


def emit(model: ModelProto, plan: Plan, opset: int | None = None) -> Own:
    """Our nodes for this model, which is only looked at; see ``attach``. That it has no steps yet, ``fit`` has seen."""
    _refuse(model, plan)
    own = Own({name: name for name in plan.inputs}, _number(model, plan, opset), _moved(model, plan))
    emit_side(own, plan, "pre")
    feed(own, plan, signature(model))
    own.tensors |= {value: own.moved.get(name, name) for value, name in plan.gives.items()}
    emit_side(own, plan, "post")
    give(own, plan)
    drop_unused(own)
    return own


def splice(model: ModelProto, plan: Plan, own: Own) -> None:
    """Puts the nodes into the model itself: no weight is copied."""
    specs = declared(plan, model)
    old_inputs, old_outputs = ([_called(i, i.name) for i in part] for part in (model.graph.input, model.graph.output))
    if own.opset != default_opset(model):
        raise_opset(model, own.opset)
    names.rename(model, own.moved)
    inputs, outputs = _inputs(old_inputs, plan, specs, own.moved), _outputs(old_outputs, plan, specs)
    former = [_fed(info, plan, specs, own.moved) for info in old_inputs if info.name in plan.feeds]
    former += [_unshaped(_called(info, own.moved.get(info.name, info.name))) for info in old_outputs]
    _assemble(model, own, inputs, outputs, former)


@dataclass
class Own:
    """Our nodes so far.

    Attributes:
        tensors: the tensor that carries each value.
        opset: what they are written for.
        moved: body tensors that give up their name, with the new one.
        before, behind: the nodes before and behind the body.
        fixed: names of tensors that are given for good.
    """

    tensors: dict[str, str]
    opset: int
    moved: Mapping[str, str] = field(default_factory=dict)
    before: list[NodeProto] = field(default_factory=list)
    behind: list[NodeProto] = field(default_factory=list)
    fixed: set[str] = field(default_factory=set)


# before anything is written ----------------------------------------------------------------------------------------


def refuse_augmented(model: ModelProto) -> None:
    """Raises a ContractError for a model that has steps already."""
    stored = metadata.read(model)
    if stored or names.any_of_ours(model):
        hint = "`onnxprep strip` it first" if metadata.UNDO in stored else "use the file that the steps came into"
        raise ContractError("already has onnxprep steps", at="model", expected="a model without them", hint=hint)


def _refuse(model: ModelProto, plan: Plan) -> None:
    known = signature(model)
    for name in plan.feeds:
        if name not in known.inputs:
            raise ContractError("is no input of the model", at=f"model.inputs.{name}", expected=_list(known.inputs))
    for value, name in plan.gives.items():
        if name not in known.outputs:
            raise ContractError(
                "is no output of the model", at=f"model.outputs.{value}", expected=_list(known.outputs), got=name
            )
    refuse_taken(model, plan)


def refuse_taken(model: ModelProto, plan: Plan) -> None:
    """Inputs that stay, and outputs that are no tensors, keep their names: the caller knows them by these.

    Raises:
        ContractError: the spec gives such a name to an input or output of its own.
    """
    initialized = {info.name for info in model.graph.input} - signature(model).inputs.keys()
    stay = {info.name for info in model.graph.input if info.name not in plan.feeds and info.name not in initialized}
    stay |= {info.name for info in (*model.graph.input, *model.graph.output) if not is_tensor(info)}
    for name in (*plan.inputs, *plan.outputs):
        if name in stay and plan.gives.get(name) != name:
            raise ContractError(
                "is the name of a model input or output that stays as it is", at=name, hint="choose another name"
            )


def _list(found: Mapping[str, TensorSpec]) -> str:
    return ", ".join(found) or "no tensors"


def _number(model: ModelProto, plan: Plan, opset: int | None) -> int:
    """The opset to write for."""
    own = default_opset(model)
    needed = needs(plan)
    found = own if opset is None else opset
    number = max(needed, _LOWEST) if found is None else found
    if needed > number:
        step = max(plan.steps, key=lambda step: step.step.needed_opset)
        raise ContractError(
            f"{step.name} needs a higher opset than the model has",
            at=step.path, expected=f"opset {needed} or higher", got=f"opset {number}",
            hint="--upgrade-opset rewrites the model's body for a higher one",
        )  # fmt: skip
    return number


def _moved(model: ModelProto, plan: Plan) -> dict[str, str]:
    """Body tensors that must give up their name to a graph input or output of the spec."""
    taken = names.tensor_names(model)
    wanted = dict.fromkeys((*plan.inputs, *plan.outputs))
    return {name: BODY + name for name in wanted if name in taken and not _is_same(plan, name)}


def _is_same(plan: Plan, name: str) -> bool:
    """Whether value and body tensor of that name are one tensor anyway: the model's output, or what feeds its input."""
    return plan.gives.get(name) == name or plan.feeds.get(name) == name


# nodes -------------------------------------------------------------------------------------------------------------


def emit_side(own: Own, plan: Plan, side: Side) -> None:
    """Emits the steps of one side for what is known so far."""
    steps = plan.side(side)
    made = {name for step in steps for name in step.outputs}
    given = {name: plan.values[name] for name in own.tensors if name not in made}
    fragment = emit_steps(steps, given, own.tensors, own.opset, plan.published(side))
    (own.before if side == "pre" else own.behind).extend(fragment.nodes)
    own.tensors |= fragment.tensors


def feed(own: Own, plan: Plan, wanted: Signature) -> None:
    """Every fed model input gets its value: under its own name, through an Identity only where that cannot be."""
    pairs = [(own.moved.get(name, name), value) for name, value in plan.feeds.items()]
    pairs.sort(key=lambda pair: pair[0] != pair[1])  # a value called like the input it feeds comes first
    for k, (name, value) in enumerate(plan.feeds.items()):
        op = Emitter(f"{names.PREFIX}pre.feed.{k}", own.opset)
        spec = plan.values[value]
        passed = guarded(op, Value(own.tensors[value], spec), uncertain(spec, wanted.inputs[name]))
        own.before.extend(op.nodes)
        own.tensors[value] = passed.name
    name_values(own, own.before, pairs, "pre.feed")


def give(own: Own, plan: Plan) -> None:
    """Every output gets its value's name."""
    name_values(own, own.behind, [(value, value) for value in plan.outputs], "post.output")


def name_values(own: Own, place: list[NodeProto], pairs: list[tuple[str, str]], label: str) -> None:
    """For each (name, value): the tensor of the value becomes ``name``, or is copied there at the end of ``place``."""
    nodes = [*own.before, *own.behind]
    free = {name for node in nodes for name in node.output} - own.fixed
    to: dict[str, str] = {}
    copied: list[tuple[str, str]] = []
    for name, value in pairs:
        tensor = own.tensors[value]
        if tensor in free:
            free.remove(tensor)
            to[tensor] = name
        elif tensor != name:
            copied.append((name, value))
        own.fixed.add(name)
    names.rename_in_nodes(nodes, to)
    own.tensors = {value: to.get(tensor, tensor) for value, tensor in own.tensors.items()}
    for k, (name, value) in enumerate(copied):
        node = f"{names.PREFIX}{label}.{k}/Identity_0"
        place.append(helper.make_node("Identity", [own.tensors[value]], [name], node))
    own.tensors |= {value: name for name, value in copied if name == value}


def drop_unused(own: Own) -> None:
    """Drops what nothing reads when all is known: parts of a frame, or what made a port that nobody takes.

    ONNX Runtime warns of such constants, in every program that loads the file.
    """
    own.behind = without_unused(own.behind, own.fixed)
    own.before = without_unused(own.before, {*own.fixed, *read_by(own.behind)})


# the graph's frame -------------------------------------------------------------------------------------------------


def _assemble(
    model: ModelProto,
    own: Own,
    inputs: list[ValueInfoProto],
    outputs: list[ValueInfoProto],
    former: list[ValueInfoProto],
) -> None:
    graph = model.graph
    for k, node in enumerate(own.before):
        graph.node.insert(k, node)
    graph.node.extend(own.behind)
    kept = {info.name for info in (*inputs, *outputs, *graph.value_info)} | initialized_names(model)
    del graph.input[:]
    del graph.output[:]
    graph.input.extend(inputs)
    graph.output.extend(outputs)
    # the types of what was input or output stay: tools compare them with what our nodes give and take
    graph.value_info.extend(info for name, info in {i.name: i for i in former}.items() if name not in kept)


def _inputs(
    old: list[ValueInfoProto], plan: Plan, specs: Mapping[str, TensorSpec], moved: Mapping[str, str]
) -> list[ValueInfoProto]:
    """The spec's inputs where the first fed one stood; inputs that nothing feeds in their order."""
    same = {info.name: info for info in old if plan.feeds.get(info.name) == info.name}
    new = [_described(name, specs[name], same.get(name)) for name in plan.inputs]
    at = next((k for k, info in enumerate(old) if info.name in plan.feeds), 0)
    before, behind = (
        [_called(i, moved.get(i.name, i.name)) for i in part if i.name not in plan.feeds]
        for part in (old[:at], old[at:])
    )
    return [*before, *new, *behind]


def _outputs(old: list[ValueInfoProto], plan: Plan, specs: Mapping[str, TensorSpec]) -> list[ValueInfoProto]:
    """The plan's outputs, then what is no tensor and so no value."""
    models = {info.name: info for info in old}
    new = [
        _called(models[plan.gives[value]], value) if value in plan.gives else _described(value, specs[value], None)
        for value in plan.outputs
    ]
    return new + [info for info in old if not is_tensor(info)]


def _described(name: str, spec: TensorSpec, same: ValueInfoProto | None) -> ValueInfoProto:
    """A ValueInfo of our own type; the model's own text and tags about the same tensor stay."""
    info = ValueInfoProto()
    if same is not None:
        info.CopyFrom(same)
    info.name = name
    if same is None or (described(same).dtype, described(same).shape) != (spec.dtype, spec.shape):
        meant = info.type.denotation
        info.type.CopyFrom(type_proto(spec))
        if meant:
            info.type.denotation = meant
    return info


def _fed(info: ValueInfoProto, plan: Plan, specs: Mapping[str, TensorSpec], moved: Mapping[str, str]) -> ValueInfoProto:
    """A fed input, with the lengths that our nodes really give: ONNX Runtime believes what is declared inside a graph."""
    return _described(moved.get(info.name, info.name), specs[plan.feeds[info.name]], info)


def _unshaped(info: ValueInfoProto) -> ValueInfoProto:
    """A former output without its lengths: of an output a wrong one is a warning, inside the graph it is believed."""
    if is_tensor(info):
        info.type.tensor_type.ClearField("shape")
    return info


def _called(info: ValueInfoProto, name: str) -> ValueInfoProto:
    copy = ValueInfoProto()
    copy.CopyFrom(info)
    if copy.name != name:
        copy.name = name
    return copy
