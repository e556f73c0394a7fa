"""Agreement: does a provider give the CPU's bits, step by step, on images of several sizes?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onnx import ModelProto

from onnxprep.emit import spec_of
from onnxprep.errors import ContractError, ParityError
from onnxprep.graph.cut import cut, cut_declared
from onnxprep.graph.opset import default_opset
from onnxprep.graph.signature import signature
from onnxprep.graph.trace import Trace, traced_before
from onnxprep.runtime.closeness import Apart, apart
from onnxprep.runtime.placement import Placement, placement
from onnxprep.runtime.record import logical
from onnxprep.runtime.samples import synthetic
from onnxprep.runtime.session import CPU, Session, known
from onnxprep.spec.document import Spec
from onnxprep.spec.plan import Plan
from onnxprep.step import Claim
from onnxprep.tensor import Array

Images = Sequence[Mapping[str, Array]]
TOGETHER = "the steps in a row"
_EXACT = Claim("", "", "")


@dataclass(frozen=True)
class Agreement:
    """What a provider does with the steps before the model.

    Attributes:
        provider: its full name.
        placed: where the nodes run.
        images: how many were compared.
        differing: value -> how far it is from the CPU's at most; only values that are not the CPU's, in order.
        broken: the first value that breaks its claim; ``""`` where none does.
        outputs: the whole model's outputs on one image, likewise; ``None`` where it was not run.
        refused: why an image was left out.
    """

    provider: str
    placed: Placement
    images: int
    differing: Mapping[str, Apart]
    broken: str = ""
    outputs: Mapping[str, Apart] | None = None
    refused: str = ""

    @property
    def line(self) -> str:
        """Provider, placement and the largest differences."""
        if not self.images:
            said = f"no image was run: {self.refused or 'there is no step before the model'}"
        elif not self.differing:
            said = f"the CPU's bits on {_count(self.images)}" if self.provider != CPU else f"runs {_count(self.images)}"
        else:
            said = f"largest difference from the CPU on {_count(self.images)}: {_listed(self.differing)}"
        if self.provider != CPU and self.outputs is not None:
            said += f"; outputs of the model: {_listed(self.outputs) or 'the same bits'}"
        return f"{self.provider}  {self.placed.text}; {said}"

    @property
    def problem(self) -> ParityError | None:
        """The first value that breaks its claim."""
        if not self.broken:
            return None
        return ParityError(
            "changes bits that are claimed to be exact",
            at=f"{self.provider}: {self.broken}",
            expected="the bits that the CPU gives",
            got=f"up to {self.differing[self.broken].text} from them, on {_count(self.images)}",
            hint="the CPU keeps them",
        )


def _listed(found: Mapping[str, Apart]) -> str:
    return ", ".join(f"{name} {one.text}" for name, one in found.items() if one.differing)


def _count(images: int) -> str:
    return f"{images} image{'s' * (images != 1)}"


class Reference:
    """The steps before the model on the CPU, and the images that they take."""

    def __init__(self, model: ModelProto, trace: Trace, images: Iterable[Mapping[str, Array]]) -> None:
        self.trace = trace
        joined = cut_declared(model, "pre")
        self._joined, self.ends = joined, [info.name for info in joined.graph.output]
        dtypes = {info.name: spec_of(info.type).dtype for info in joined.graph.output}
        self._traced = cut(model, "pre", {**dtypes, **{traced.tensor: traced.dtype for traced in trace.values()}})
        self.takes = {info.name for info in self._traced.graph.input}
        self.images: list[Mapping[str, Array]] = []
        self.values: list[Mapping[str, Array]] = []
        self.refused = ""
        if self._traced.graph.output:
            self._run(Session(self._traced), images)

    def _run(self, session: Session, images: Iterable[Mapping[str, Array]]) -> None:
        for image in images:
            feeds = {name: array for name, array in image.items() if name in self.takes}
            try:
                values = session.run(feeds)
            except ContractError as error:  # made-up images need not fit: too small for a crop, say
                self.refused = self.refused or error.problem
                continue
            self.images.append(feeds)
            self.values.append(values)

    def on(self, provider: str, claims: Mapping[str, Claim], whole: Session | None = None) -> Agreement:
        """The same on a provider.

        Args:
            provider: its full name.
            claims: of the traced values.
            whole: the whole model there, for the placement; our nodes alone tell it otherwise.

        Raises:
            ContractError: it does not run what the CPU runs.
        """
        if not self._traced.graph.output:
            return Agreement(provider, placement((whole and whole.assigned()) or (), provider), 0, {})
        traced, joined = _session(self._traced, provider), _session(self._joined, provider)
        found: dict[str, Apart] = {}
        for feeds, wanted in zip(self.images, self.values, strict=True):
            made, end = _made(traced, feeds, provider), _made(joined, feeds, provider)
            for name, where in self.trace.items():
                if where.tensor in made:
                    _add(found, name, logical(made[where.tensor], where), logical(wanted[where.tensor], where))
            for name in self.ends:
                _add(found, TOGETHER, end[name], wanted[name])
        differing = {name: found[name] for name in (*self.trace, TOGETHER) if name in found and found[name].differing}
        placed = self._placed(provider, whole or joined)
        broken = _broken(differing, claims)
        return Agreement(provider, placed, len(self.images), differing, broken, refused=self.refused)

    def _placed(self, provider: str, told: Session) -> Placement:
        nodes = told.assigned()
        return placement(nodes, provider) if nodes is not None else self._profiled(provider)

    def _profiled(self, provider: str) -> Placement:
        """Where onnxruntime does not tell what it assigned, a profile of one run does, more or less."""
        with tempfile.TemporaryDirectory() as folder:
            session = Session(self._joined, [provider], profile=Path(folder))
            for feeds in self.images[:1]:
                session.run(feeds)
            return placement(session.profiled(), provider, profiled=True)


def compare(
    model: ModelProto,
    plan: Plan,
    spec: Spec,
    providers: Sequence[str],
    given: Images = (),
    whole: Sequence[Session] = (),
) -> list[Agreement]:
    """Every provider against the CPU, on the images given and on made-up ones.

    Args:
        model: an augmented model that this very version has just made, or would make.
        plan: of its steps.
        spec: its spec.
        providers: their names.
        given: images to compare on as well.
        whole: sessions of the whole model: with the CPU's among them it is run, too.

    Raises:
        ContractError: a provider does not load or run what the CPU does, or falls back to another.
        UsageError: this onnxruntime does not have one of them.
    """
    trace = traced_before(model, plan, default_opset(model) or 0)
    claims = {name: step.step.promise() for step in plan.side("pre") for name in step.outputs}
    images = [*given, *made_up(model, spec)]
    reference, sessions = Reference(model, trace, images), {session.providers[0]: session for session in whole}
    found = [reference.on(provider, claims, sessions.get(provider)) for provider in known(providers)]
    return [
        replace(one, outputs=outputs) for one, outputs in zip(found, _outputs(found, sessions, images), strict=True)
    ]


def _outputs(
    found: Sequence[Agreement], sessions: Mapping[str, Session], images: Images
) -> list[Mapping[str, Apart] | None]:
    """The whole model on the first image that it takes on the CPU."""
    for image in images if CPU in sessions else ():
        try:
            wanted = sessions[CPU].run(image)
        except ContractError:  # a size that the body does not take, or an input that cannot be made up
            continue
        made = [_made(sessions[one.provider], image, one.provider) for one in found]
        return [{name: apart(values[name], array) for name, array in wanted.items()} for values in made]
    return [None for _ in found]


def made_up(model: ModelProto, spec: Spec) -> list[dict[str, Array]]:
    """A few images of several sizes and batches, as far as the graph leaves them open."""
    declared = signature(model).inputs
    inputs = {
        name: replace(tensor, shape=declared[name].shape) for name, tensor in spec.inputs.items() if name in declared
    }
    return list(synthetic({**declared, **inputs}))


def _session(model: ModelProto, provider: str) -> Session:
    try:
        return Session(model, [provider])
    except ContractError as error:
        raise error.told_as(ContractError, at=provider) from None


def _made(session: Session, feeds: Mapping[str, Array], provider: str) -> dict[str, Array]:
    try:
        return session.run(feeds)
    except ContractError as error:
        raise ContractError("does not run what the CPU runs", at=provider, got=error.got or error.problem) from None


def _add(found: dict[str, Apart], name: str, got: Array, wanted: Array) -> None:
    this = apart(got, wanted)
    found[name] = found[name] + this if name in found else this


def _broken(found: Mapping[str, Apart], claims: Mapping[str, Claim]) -> str:
    """The first difference, where its claim does not allow it; what comes behind an allowed one is not judged."""
    for name, this in found.items():
        return "" if this.within(claims.get(name, _EXACT)) else name
    return ""
