"""Proof of the claims: every family of every operation against the installed library, on photos and noise.

    python tests/sweeps/claims.py [OPERATION | OPERATION/FAMILY ...] [--cases 300] [--largest 160] [--write]

Random parameters; for each of them images of random sides (one in ten is 1 px, one in five is taller than twice its
width), parts of photos, noise, black and white, and constant ones; H, W and N unknown to one graph, known to another.
What libraries are not installed here is left out. ``--write`` keeps the result in ``fixtures/proofs``, from which
``docs/claims.md`` is made. Exit status 1 where a claim does not hold.
"""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, too

import conformance
import numpy as np
import onnxruntime
from closeness import difference
from recorded import installed
from steps import build, session

from onnxprep.errors import ContractError
from onnxprep.runtime.libraries import installed_version
from onnxprep.step import Case, Sample, Step, catalogue, random_sides
from onnxprep.tensor import Array, Tensor, TensorSpec

PROOFS = Path(__file__).parents[2] / "fixtures" / "proofs"
IMAGES = 10
"""Per set of parameters."""
PHOTOS = ("china", "flower")


@dataclass
class Proof:
    """What was compared for one family."""

    operation: str
    like: str
    promise: str
    library: str
    onnxruntime: str = onnxruntime.__version__
    platform: str = f"{platform.system()} {platform.machine()}"
    cases: int = 0
    refused: int = 0
    values: int = 0
    differing: int = 0
    largest_difference: float = 0.0
    kinds: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def compare(self, step: Step, got: list[Array], wanted: list[Array], told: str, kind: str) -> None:
        """Counts what differs, and keeps what breaks the claim."""
        self.cases += 1
        if kind:
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
        for a, b in zip(got, wanted, strict=True):
            self.values += b.size
            broken = difference(a, b, step.promise())
            if broken:
                self.broken.append(f"{told}: {broken}")
            if a.shape != b.shape:
                self.differing += b.size
            elif a.dtype.kind in "uif" and a.size:
                apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
                self.differing += int((a != b).sum())
                self.largest_difference = max(self.largest_difference, float(np.nan_to_num(apart).max()))
            else:
                self.differing += int((a != b).sum())


def photos() -> list[Array]:
    """RGB, 427 x 640 px."""
    from sklearn.datasets import load_sample_images

    return list(load_sample_images().images)


def content(sample: Sample, kind: int, rng: np.random.Generator, pictures: list[Array]) -> Array:
    """What the sample holds: noise, a part of a photo, black and white, or one value."""
    spec = sample.spec
    noise = sample.array()
    if not spec.is_image or spec.range is None or spec.dtype not in ("uint8", "float32") or kind == 0 or not noise.size:
        return noise
    low, high = spec.range
    if kind == 2:
        return np.where(rng.random(noise.shape) < 0.5, low, high).astype(spec.dtype)
    if kind == 3:
        return np.full(noise.shape, rng.choice([low, high, noise.flat[0]])).astype(spec.dtype)
    part = _part(spec, rng, pictures[int(rng.integers(len(pictures)))])
    scaled = part if spec.dtype == "uint8" and (low, high) == (0, 255) else low + part / 255 * (high - low)
    return np.ascontiguousarray(scaled).astype(spec.dtype)


def _part(spec: TensorSpec, rng: np.random.Generator, photo: Array) -> Array:
    height, width, channels = (int(spec.dim(letter) or 0) for letter in "HWC")  # type: ignore[arg-type]
    large = np.tile(photo, (-(-height // len(photo)), -(-width // photo.shape[1]), -(-channels // 3)))[..., :channels]
    top, left = (int(rng.integers(0, n - side + 1)) for n, side in zip(large.shape, (height, width), strict=False))
    part = large[top : top + height, left : left + width]
    order = [("HWC").index(letter) for letter in str(spec.layout).replace("N", "")]
    part = part.transpose(order)
    return np.broadcast_to(part, [int(d) for d in spec.shape or ()]) if "N" in str(spec.layout) else part  # type: ignore[arg-type]


def variants(case: Case, rng: np.random.Generator, largest: int) -> Iterator[tuple[Sample, ...]]:
    """The case's own images, then images of other sides; some of them alike in H and W, as a batch's are."""
    yield case.inputs
    for _ in range(IMAGES - 1):
        sides: dict[tuple[object, object], tuple[int, int]] = {}
        made = []
        for sample in case.inputs:
            spec = sample.spec
            if spec.is_image:
                height, width = sides.setdefault((spec.dim("H"), spec.dim("W")), random_sides(rng, largest))
                spec = spec.with_dims(H=height, W=width)
            made.append(replace(sample, spec=spec, seed=int(rng.integers(2**31))))
        yield tuple(made)


def prove(step_class: type[Step], like: str, cases: int, largest: int, seed: int) -> Proof:
    """The claim of one family, on that many images."""
    claim = step_class.claims[like]
    library = f"{claim.library} {installed_version(claim.library) or ''}".strip()
    proof = Proof(step_class.operation, like, claim.tolerance, library)
    rng, pictures = np.random.default_rng(seed), photos()
    for subject in _subjects(proof, step_class, like, cases, largest, seed):
        step, opset = subject.step(), max(17, step_class.min_opset)
        running = session(conformance.model_of(subject, opset, known=False))
        for i, samples in enumerate(variants(subject.case, rng, largest)):
            try:
                step.infer(*(sample.spec for sample in samples))
            except ContractError:
                continue
            arrays = [content(sample, (i + k) % 4, rng, pictures) for k, sample in enumerate(samples)]
            tensors = [Tensor(a, s.spec) for a, s in zip(arrays, samples, strict=True)]
            graphs = [running]
            if i == 0:
                graphs.append(session(build([step], [s.spec for s in samples], opset)))
            told = f"{subject.case.parameters} on {[str(s.spec) for s in samples]}"
            for graph in graphs:
                _one(proof, subject, graph, tensors, told)
    return proof


def kind_of(subject: conformance.Subject) -> str:
    """What has to be proven by itself within a family: every filter on every dtype."""
    filter_ = subject.case.parameters.get("interpolation")
    return f"{subject.specs()[0].dtype} {filter_}" if filter_ else ""


def _subjects(
    proof: Proof, step_class: type[Step], like: str, cases: int, largest: int, seed: int
) -> Iterator[conformance.Subject]:
    """Random cases until enough images of every kind have been compared."""
    kinds = {kind_of(subject) for subject in conformance.drawn(step_class, like, 200, largest, seed)}
    for more in itertools.count():
        for subject in conformance.drawn(step_class, like, 10, largest, seed + more):
            done = {kind: proof.kinds.get(kind, 0) if kind else proof.cases + proof.refused for kind in kinds}
            if min(done.values()) >= cases or len(proof.broken) > 9 or more > cases:
                return
            if installed(subject.step().promise()) and done.get(kind_of(subject), cases) < cases:
                yield subject


def _one(
    proof: Proof,
    subject: conformance.Subject,
    graph: onnxruntime.InferenceSession,
    tensors: list[Tensor],
    told: str,
) -> None:
    step = subject.step()
    feeds = {f"x{i}": tensor.array for i, tensor in enumerate(tensors)}
    try:
        made = step.oracle(*tensors)
    except ModuleNotFoundError:
        return  # a size rule of a library that is not here
    except Exception as error:  # noqa: BLE001  # the library refuses, with whatever it likes
        try:
            graph.run(None, feeds)
        except Exception:  # noqa: BLE001
            proof.refused += 1
            return
        proof.broken.append(f"{told}: the library raises {type(error).__name__} {error}, the graph does not")
        return
    try:
        got = graph.run(None, feeds)
    except Exception as error:  # noqa: BLE001
        proof.broken.append(f"{told}: the graph fails: {str(error)[:200]}")
        return
    got = [np.array(g, object) if isinstance(g, str) else g for g in got]
    proof.compare(step, got, list(made) if isinstance(made, tuple) else [made], told, kind_of(subject))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("wanted", nargs="*")
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--largest", type=int, default=160)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    failed = 0
    print(
        f"{'operation':<20} {'like':<26} {'promise':<16} {'cases':>6} {'values':>12} {'differing':>9} {'max':>9}  library"
    )
    for step_class, like in conformance.families(catalogue()):
        name = step_class.operation
        if step_class.caller or (given.wanted and not {name, f"{name}/{like}"} & set(given.wanted)):
            continue
        if not installed(step_class.claims[like]):
            continue
        try:
            proof = prove(step_class, like, given.cases, given.largest, given.seed)
        except ModuleNotFoundError as error:
            print(f"{name:<20} {like or '-':<26} left out: {error}")
            continue
        failed += bool(proof.broken)
        row = f"{name:<20} {like or '-':<26} {proof.promise:<16} {proof.cases:>6} {proof.values:>12,} {proof.differing:>9}"
        print(f"{row} {proof.largest_difference:>9.2g}  {proof.library}", flush=True)
        for line in proof.broken[:3]:
            print(f"    BROKEN {line}", flush=True)
        if proof.kinds:
            print("    " + ", ".join(f"{kind} {count}" for kind, count in sorted(proof.kinds.items())), flush=True)
        if given.write and not proof.broken:
            path = PROOFS / name / f"{like or 'any'}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = {key: value for key, value in asdict(proof).items() if key != "broken"}
            path.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
