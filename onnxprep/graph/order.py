"""The order in which steps are emitted: the document's, but channels change places where fewer pixels are left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from onnxprep.spec.plan import PlannedStep


def permuted_late(steps: Sequence[PlannedStep], published: Collection[str]) -> list[PlannedStep]:
    """The steps, each that only permutes channels moved behind those that treat them alike.

    Turning a photo from BGR to RGB before a resize reads and writes all of it; behind the resize, what is left.
    """
    order = list(steps)
    for i in reversed(range(len(order))):
        while order[i].step.permutes and i + 1 < len(order):
            swapped = _swapped(order, i, published)
            if swapped is None:
                break
            order[i : i + 2] = swapped
            i += 1  # noqa: PLW2901  # follows the step
    return order


def _swapped(order: Sequence[PlannedStep], i: int, published: Collection[str]) -> list[PlannedStep] | None:
    """Steps ``i`` and ``i + 1`` the other way round; ``None`` where somebody would notice."""
    permuting, following = order[i], order[i + 1]
    value = permuting.outputs[0]
    consumers = [step for step in order if value in step.inputs]
    if consumers != [following] or value in published or following.inputs != (value,):
        return None
    if not following.step.channels_alike(*permuting.given) or len(following.outputs) != 1:
        return None
    between = (f"{following.name} before {permuting.name}",)  # no value of a document can be called so
    gives = following.step.infer(*permuting.given)
    if permuting.step.infer(*gives) != following.gives:
        return None
    first = replace(following, inputs=permuting.inputs, outputs=between, given=permuting.given, gives=gives)
    return [first, replace(permuting, inputs=between, outputs=following.outputs, given=gives, gives=following.gives)]
