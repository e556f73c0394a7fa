"""What an export is to prove: golden inputs, and what training made of them; from arrays or from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from onnxprep.graph.fit import Fitted
from onnxprep.runtime.given import GivenFiles
from onnxprep.runtime.npy import read_array


@dataclass(frozen=True)
class Proof:
    """The inputs of every sample and the expected values; files among them are read by ``read``."""

    samples: tuple[Mapping[str, Any], ...]
    expect: Mapping[str, Any]
    files: GivenFiles | None = None

    @classmethod
    def of(cls, goldens: Sequence[Mapping[str, Any]] | GivenFiles, expect: Mapping[str, Any]) -> Self:
        """What was asked for."""
        if isinstance(goldens, GivenFiles):
            return cls((), dict(expect), goldens if goldens.items else None)
        return cls(tuple(goldens), dict(expect))

    def __bool__(self) -> bool:
        return bool(self.samples or self.expect or self.files)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file that is read."""
        given = self.files.paths if self.files else ()
        return (*given, *(value for value in self.expect.values() if isinstance(value, Path)))

    def read(self, fitted: Fitted) -> Self:
        """The same without files.

        Raises:
            UsageError: a file cannot be read, or it cannot be told what it is for.
        """
        graph = (*fitted.plan.inputs, *fitted.plan.kept)
        samples = self.files.samples(fitted.spec, graph) if self.files else []
        expect = {name: read_array(v) if isinstance(v, Path) else v for name, v in self.expect.items()}
        return type(self)((*self.samples, *samples), expect)
