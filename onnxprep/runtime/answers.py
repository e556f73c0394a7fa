"""Answers: what outputs mean to a person, told by the steps that made them and not guessed from their shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from onnxprep.spec.document import Spec
from onnxprep.spec.entry import Entry
from onnxprep.step import Step
from onnxprep.tensor import Array

Outputs = Mapping[str, Array]
NOTHING = "nothing found"
_WIDTH, _WIDEST, _COLUMN = 24, 80, 8
"""Characters of the first column, at least and with one long name among its rows, and of those behind it."""


@dataclass(frozen=True)
class Detection:
    """One thing that was found.

    Attributes:
        label: its name, else the number of its class, else nothing.
        number: of its class, by which it is coloured.
        score: ``None`` where no output tells it.
        box: x1, y1, x2, y2.
        mask: which pixels it covers, [H, W], not 0; ``None`` where no output tells it.
    """

    label: str
    number: int
    score: float | None
    box: tuple[float, float, float, float]
    mask: Array | None = field(default=None, compare=False)

    @property
    def cells(self) -> list[str]:
        """Its row of a table."""
        score = "" if self.score is None else f"{self.score:.4f}"
        covered = [] if self.mask is None else [f"{np.count_nonzero(self.mask)}"]
        return [self.label, score, *(f"{at:.1f}" for at in self.box), *covered]


@dataclass(frozen=True)
class Detections:
    """What was found in one image; ``scaled`` tells that boxes are px of the picture, not of what the model saw."""

    found: tuple[Detection, ...]
    scaled: bool

    @property
    def lines(self) -> list[str]:
        """A table, one row for each; boxes as x1, y1, x2, y2, of masks the number of pixels."""
        unit = "px of the picture" if self.scaled else "as the model gives it"
        masked = ["mask"] if any(one.mask is not None for one in self.found) else []
        rows = [one.cells for one in self.found]
        return [*_table(["label", "score", "x1", "y1", "x2", "y2", *masked, unit], rows), *([] if rows else [NOTHING])]


@dataclass(frozen=True, eq=False)
class ClassMask:
    """The class of every pixel of one image, [H, W]."""

    name: str
    classes: Array

    @property
    def shares(self) -> dict[int, float]:
        """Class -> its share of the pixels, largest first."""
        numbers, counts = np.unique(self.classes, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {int(numbers[k]): float(counts[k] / self.classes.size) for k in order}

    @property
    def lines(self) -> list[str]:
        """A table, one row for each class."""
        height, width = self.classes.shape
        rows = [(f"class {number}", f"{share:.2%}") for number, share in self.shares.items()]
        return _table([self.name, "share", f"of {width} x {height} px"], rows)


Answer = Detections | ClassMask


@dataclass(frozen=True)
class Answered:
    """The answers for every image of a run, and the outputs that are part of none."""

    images: tuple[tuple[Answer, ...], ...]
    rest: dict[str, Array]


def answered(spec: Spec, outputs: Outputs) -> Answered:
    """What the outputs of one run say; an output whose array is not what its port promises is left as it is."""
    told: list[Sequence[Answer]] = []
    used: set[str] = set()
    for ways in _by_selection(spec, outputs):
        named = _named(ways, outputs)
        found = _rows({part: outputs[name] for part, name in named.items()})
        if found is not None:
            boxes = ways[named["boxes" if "boxes" in found.parts else "detections"]]
            told.append([_detections(rows, boxes, _names(ways, named)) for rows in found.images])
            used.update(named[part] for part in found.parts)
    for name in _made_by(spec, "segmentation_mask", outputs):
        if outputs[name].ndim == 3 and outputs[name].dtype.kind in "iub" and outputs[name].size:
            told.append([ClassMask(name, classes) for classes in outputs[name]])
            used.add(name)
    images = max(map(len, told), default=0)
    per_image = tuple(tuple(answers[n] for answers in told if n < len(answers)) for n in range(images))
    return Answered(per_image, {name: array for name, array in outputs.items() if name not in used})


# detections -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Way:
    """How an output came about: the step that selected the detections it tells of, its port there, and every step.

    The steps are those in the graph from the model on, the last one first.
    """

    selection: str
    port: str
    steps: tuple[Entry, ...]

    @property
    def scaled(self) -> bool:
        return any(entry.operation == "scale_boxes" for entry in self.steps)

    @property
    def form(self) -> str:
        """What four numbers of a box are: xyxy, unless a step made them something else."""
        made = (entry.step for entry in self.steps if entry.operation == "convert_boxes")
        return str(getattr(next(made, None), "out_format", "xyxy"))


@dataclass(frozen=True)
class _Rows:
    """Detections as arrays, by part and image; ``parts`` are those that an output told."""

    images: Sequence[Mapping[str, Array]]
    parts: Sequence[str]


_Makers = Mapping[str, tuple[Entry, type[Step], str]]
_PARTS = {
    "boxes": ("boxes", "f", 3), "detections": ("detections", "f", 0), "counts": ("counts", "iu", 1),
    "scores": ("scores", "f", 2), "classes": ("classes", "iu", 2), "labels": ("classes", "OUS", 2),
    "masks": ("masks", "iub", 4),
}  # fmt: skip
"""Part of a detection -> the port that it goes back to, the kinds of dtype that it has, and how many axes (0: any)."""
_WITH_BOXES = ("detections", "masks")
"""Ports of what goes together with boxes, and comes from the step that they come from."""
_MOST_IMAGES = 2**16


def _by_selection(spec: Spec, outputs: Outputs) -> Iterator[dict[str, _Way]]:
    """The outputs that tell of detections, together those of one step that selects them."""
    makers: _Makers = {
        name: (entry, type(entry.step), port)
        for entry in spec.postprocess
        if entry.where == "graph" and entry.step is not None
        for name, port in zip(entry.outputs or (), type(entry.step).outputs, strict=False)
    }
    ways = {name: way for name in outputs if (way := _way(name, makers)) is not None}
    for selection in dict.fromkeys(way.selection for way in ways.values()):
        yield {name: way for name, way in ways.items() if way.selection == selection}


def _way(name: str, makers: _Makers) -> _Way | None:
    """Back along ports of one name, or the only one; a step that counts what nobody has counted selects."""
    steps: list[Entry] = []
    selection, told = "", ""
    while name in makers and len(steps) < len(makers):
        entry, kind, port = makers[name]
        steps.append(entry)
        told = told or (port if port in _WITH_BOXES else "")
        if not selection and "counts" in kind.outputs and "counts" not in kind.inputs:
            selection, told = entry.name, told or port
        port = "boxes" if port in _WITH_BOXES else port
        at = kind.inputs.index(port) if port in kind.inputs else 0 if len(kind.inputs) == 1 else -1
        name = (entry.inputs or ())[at] if 0 <= at < len(entry.inputs or ()) else ""
    return _Way(selection, told, tuple(steps)) if selection else None


def _named(ways: Mapping[str, _Way], outputs: Outputs) -> dict[str, str]:
    """Part -> its output; of several the one in px of the picture."""
    named = {}
    for part, (port, kinds, rank) in _PARTS.items():
        fitting = [
            name
            for name, way in ways.items()
            if way.port == port and outputs[name].dtype.kind in kinds and rank in (0, outputs[name].ndim)
        ]
        if fitting:
            named[part] = min(fitting, key=lambda name: not ways[name].scaled)
    return named


def _rows(parts: Mapping[str, Array]) -> _Rows | None:
    """Of every image the rows that are detections; ``None`` where that cannot be told."""
    if "boxes" in parts and "counts" in parts:
        return _apart(parts)
    return _packed(parts) if "detections" in parts else None


def _apart(parts: Mapping[str, Array]) -> _Rows | None:
    shape, counts = parts["boxes"].shape, parts["counts"]
    rows = [part for part in ("boxes", "scores", "classes", "labels") if part in parts]
    if shape[2] != 4 or counts.shape != shape[:1] or any(parts[part].shape[:2] != shape[:2] for part in rows):
        return None
    most = int(counts.max(initial=0))
    if (
        "masks" in parts and len(parts["masks"]) == len(counts) and parts["masks"].shape[1] >= most
    ):  # or found ones only
        rows.append("masks")
    images = [{part: parts[part][n, : max(count, 0)] for part in rows} for n, count in enumerate(counts.tolist())]
    return _Rows(images, ["counts", *(part for part in rows if part != "classes" or "labels" not in parts)])


def _packed(parts: Mapping[str, Array]) -> _Rows | None:
    images = _unpacked(parts["detections"], parts.get("counts"))
    if images is None:
        return None
    used = [part for part in ("detections", "counts") if part in parts]
    with np.errstate(invalid="ignore"):  # of a class beyond int64, which a damaged file may hold
        told = [{"boxes": rows[:, :4], "scores": rows[:, 4], "classes": rows[:, 5].astype(np.int64)} for rows in images]
    labels = parts.get("labels")
    if labels is not None and len(labels) == len(images) and all(len(rows) <= labels.shape[1] for rows in images):
        told = [{**rows, "labels": labels[n, : len(rows["boxes"])]} for n, rows in enumerate(told)]
        used.append("labels")
    return _Rows(told, used)


def _unpacked(packed: Array, counts: Array | None) -> list[Array] | None:
    """Of every image the rows x1, y1, x2, y2, score, class."""
    if not np.isfinite(packed).all():
        return None
    if packed.ndim == 3 and packed.shape[2] == 6 and (counts is None or counts.shape == packed.shape[:1]):
        found = packed.any(axis=2).sum(axis=1) if counts is None else counts  # what is no detection is zero
        return [rows[: max(count, 0)] for rows, count in zip(packed, found.tolist(), strict=True)]
    if packed.ndim != 2 or packed.shape[1] != 7:
        return None
    last = packed[:, 0].max(initial=0)
    images = int(last) + 1 if counts is None else len(counts)
    return [packed[packed[:, 0] == n, 1:] for n in range(images)] if last < _MOST_IMAGES else None


def _names(ways: Mapping[str, _Way], named: Mapping[str, str]) -> Sequence[str]:
    """The names of all classes, where a step knows them."""
    steps = ways[named["labels"]].steps if "labels" in named else ()
    return next((tuple(getattr(entry.step, "names", ())) for entry in steps if entry.operation == "labels"), ())


def _detections(rows: Mapping[str, Array], way: _Way, names: Sequence[str]) -> Detections:
    found = []
    for k, four in enumerate(rows["boxes"].tolist()):
        number = int(rows["classes"][k]) if "classes" in rows else None
        label = str(rows["labels"][k]) if "labels" in rows else "" if number is None else str(number)
        if number is None:
            number = names.index(label) if label in names else 0
        score = float(rows["scores"][k]) if "scores" in rows else None
        mask = rows["masks"][k] if "masks" in rows else None
        found.append(Detection(label, number, score, _corners(four, way.form), mask))
    return Detections(tuple(found), way.scaled)


def _corners(four: Sequence[float], form: str) -> tuple[float, float, float, float]:
    x, y, x2, y2 = four
    if form == "cxcywh":
        return x - x2 / 2, y - y2 / 2, x + x2 / 2, y + y2 / 2
    return (x, y, x + x2, y + y2) if form == "xywh" else (x, y, x2, y2)


# masks ----------------------------------------------------------------------------------------------------------------


def _made_by(spec: Spec, operation: str, outputs: Outputs) -> list[str]:
    """The outputs that steps of an operation make, on their first port."""
    made = {(entry.outputs or ("",))[0] for entry in spec.postprocess if entry.operation == operation}
    return [name for name in outputs if name in made]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of equal columns, the first to the left; the last of ``head`` is a remark on all of them."""
    *names, remark = head
    width = min(max([_WIDTH, *(len(row[0]) for row in rows)]), _WIDEST)
    first, *others = ("  ".join([f"{a:<{width}}", *(f"{cell:>{_COLUMN}}" for cell in b)]) for a, *b in (names, *rows))
    return [f"{first}   {remark}", *(line.rstrip() for line in others)]
