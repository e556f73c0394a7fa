"""ctc_greedy: the best class of every step of time, repetitions and blanks taken out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np

from onnxprep.step import Case, Claim, Ops, Sample, Step, Value, parameter, refuse_unless, refuse_unless_float32
from onnxprep.steps.sequence._best import best_class
from onnxprep.tensor import Array, Tensor, TensorSpec

_END = 2**31


class CtcGreedy(Step):
    """``k[t] = argmax(x[t])``, the first where several are largest; kept where ``k[t] != k[t-1]`` and ``k[t] != blank``.

    score: the mean of the largest scores of the steps that are kept, 0 where none is (PaddleOCR; put ``softmax`` before it
    where the model gives logits); like tensorflow: minus the sum of the largest scores of all steps. Every step of time
    counts: where sequences of a batch were padded, the padding is decoded as well. ``join_characters`` makes text of ids.

    Input: float32 [N, T, C], or [T, N, C] by the parameter.
    Output: ids, int64 [N, T], padded with -1; counts, int64 [N]; score, float32 [N].
    Rounds: the sum is in float64, its mean rounded to float32; like tensorflow: in float32, after every addition, in order.
    Source: PaddleOCR, ppocr/postprocess/rec_postprocess.py CTCLabelDecode; TensorFlow 2.21, nn.ctc_greedy_decoder, which
        keras.ops.ctc_decode calls.
    Raises: ContractError where the tensor is not float32 of three axes, or has no class ``blank``. No step of time gives no
        ids, counts and score 0. With NaN among the scores of a step its class is not defined, but it is one of them.
    """

    operation: ClassVar[str] = "ctc_greedy"
    claims: ClassVar = {
        "": Claim(
            "numpy", ">=1.26", "argmax, mean", absolute=1e-6,
            note="ids and counts are equal; the score of probabilities, which NumPy adds in float32",
        ),
        "tensorflow": Claim("tensorflow", ">=2.16,<3", "nn.ctc_greedy_decoder", note="without NaN"),
    }  # fmt: skip
    outputs: ClassVar[tuple[str, ...]] = ("ids", "counts", "score")

    blank: int = parameter("class that stands for nothing: 0 in PaddleOCR, -1, the last, in TensorFlow")
    axes: Literal["NTC", "TNC"] = parameter("order of batch, time and classes", "NTC")

    def infer(self, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """As many ids as steps of time; their range tells the number of classes."""
        (x,) = inputs
        refuse_unless_float32(x)
        expected = f"[{', '.join(self.axes)}]"
        refuse_unless(x.rank in (None, 3) and not x.is_image, "needs batch, time and classes", expected=expected, got=x)
        batch, time, classes = self._dims(x)
        known = isinstance(classes, int)
        fits = not isinstance(classes, int) or -classes <= self.blank < classes
        refuse_unless(fits, f"has no class {self.blank}", expected="a class of the last axis", got=x)
        probabilities = x.range is not None and x.range[0] >= 0 and x.range[1] <= 1
        return (
            TensorSpec("int64", (batch, time), None, None, (-1.0, float(classes) - 1) if known else None),
            TensorSpec("int64", (batch,), None, None, (0.0, float(time)) if isinstance(time, int) else None),
            TensorSpec("float32", (batch,), None, None, (0.0, 1.0) if probabilities and not self.like else None),
        )

    def _dims(self, x: TensorSpec) -> tuple[Any, Any, Any]:
        if x.shape is None:
            return None, None, None
        return x.shape[self.axes.index("N")], x.shape[self.axes.index("T")], x.shape[2]

    def emit(self, op: Ops, *inputs: Value) -> tuple[Value, ...]:
        """What is kept moves to its place in one ScatterElements; the rest goes to a last column that is cut off."""
        (x,) = inputs
        best, score = self._best(op, x)
        shape = op.Shape(best)
        rows, time = op.Gather(shape, op.int64([0])), op.Gather(shape, op.int64([1]))
        none = op.Expand(op.int64(-1), op.Concat(rows, op.int64([1]), axis=0))
        before = op.Slice(op.Concat(none, best, axis=1), op.int64([0]), op.int64([-1]), op.int64([1]))
        kept = op.And(op.Not(op.Equal(best, before)), op.Not(op.Equal(best, self._blank(op, x))))
        ones = op.Cast(kept, to="int64")
        place = op.Where(kept, op.CumSum(ones, op.int64(1), exclusive=1), time)
        wide = op.Expand(op.int64(-1), op.Concat(rows, op.Add(time, op.int64([1])), axis=0))
        moved = op.ScatterElements(wide, place, best, axis=1)
        ids = op.Slice(moved, op.int64([0]), time, op.int64([1]))
        counts = op.ReduceSum(ones, axes=[1], keepdims=0)
        return ids, counts, self._sum(op, score, rows) if self.like else self._mean(op, score, kept, counts)

    def _best(self, op: Ops, x: Value) -> tuple[Value, Value]:
        """Class and score of every step of time, [N, T]."""
        both = (op.Squeeze(y, axes=[2]) for y in best_class(op, x))
        score, best = both if self.axes == "NTC" else (op.Transpose(y, perm=[1, 0]) for y in both)
        return best, score

    def _blank(self, op: Ops, x: Value) -> Value:
        classes = None if x.spec.shape is None else x.spec.shape[2]
        if self.blank >= 0:
            return op.int64(self.blank)
        if isinstance(classes, int):
            return op.int64(classes + self.blank)
        return op.Add(op.Gather(op.Shape(x), op.int64(2)), op.int64(self.blank))

    def _mean(self, op: Ops, score: Value, kept: Value, counts: Value) -> Value:
        wide = op.Where(kept, op.Cast(score, to="float64"), op.float64(0.0))
        some = op.Cast(op.Max(counts, op.int64(1)), to="float64")
        return op.Cast(op.Div(op.ReduceSum(wide, axes=[1], keepdims=0), some), to="float32")

    def _sum(self, op: Ops, score: Value, rows: Value) -> Value:
        """Not ReduceSum, which adds in an order of its own."""
        zero = op.Expand(op.float32(0.0), op.Concat(rows, op.int64([1]), axis=0))
        sums = op.CumSum(op.Concat(zero, op.Neg(score), axis=1), op.int64(1))
        return op.Squeeze(op.Slice(sums, op.int64([-1]), op.int64([_END]), op.int64([1])), axes=[1])

    def oracle(self, *inputs: Tensor) -> tuple[Array, ...]:
        """TensorFlow, or a loop over the batch."""
        x = inputs[0].array
        batch, time, _ = (x.shape[i] for i in ((0, 1, 2) if self.axes == "NTC" else (1, 0, 2)))
        ids, score = np.full((batch, time), -1, np.int64), np.zeros(batch, np.float32)
        if self.like:
            import tensorflow as tf

            steps = np.ascontiguousarray(x.transpose(1, 0, 2)) if self.axes == "NTC" else x
            lengths = np.full(batch, time, np.int32)
            (found,), score = tf.nn.ctc_greedy_decoder(steps, lengths, blank_index=self.blank)
            for (row, column), k in zip(found.indices.numpy(), found.values.numpy(), strict=True):
                ids[row, column] = k
            return ids, (ids >= 0).sum(1), score.numpy()[:, 0]
        for row in range(batch):
            scores = x[row] if self.axes == "NTC" else x[:, row]
            before: int | None = None
            confidences: list[Any] = []
            for one in scores:
                k = int(one.argmax())
                if k not in (before, self.blank % len(one)):
                    ids[row, len(confidences)] = k
                    confidences.append(one.max())
                before = k
            score[row] = np.mean(confidences) if confidences else 0
        return ids, (ids >= 0).sum(1), score

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Both orders, few classes and so many repetitions, very many, ties, one class, one step, blanks anywhere."""
        given = (
            (2, 12, 3, 0),
            (3, 40, 2, -1),
            (1, 1, 5, 2),
            (2, 7, 1, 0),
            (1, 60, 37, 36),
            (4, 9, 4, -3),
            (2, 9, 600, 0),
        )
        for k, (batch, time, classes, blank) in enumerate(given):
            for axes in ("NTC", "TNC"):
                shape = (batch, time, classes) if axes == "NTC" else (time, batch, classes)
                span = (0.5, 0.5 + 2**-20) if k > 4 else (0.0, 1.0)
                yield Case({"blank": blank, "axes": axes}, (Sample(TensorSpec("float32", shape, None, None, span), k),))
        logits = TensorSpec("float32", (2, 33, 4), None, None, (-9.0, 9.0))
        yield Case({"blank": 0}, (Sample(logits, 7),), ("tensorflow",))

    @classmethod
    def draw(cls, like: str, rng: np.random.Generator, largest: int) -> Case:
        """Up to five sequences of up to ``largest`` steps; every third time of 500 classes and more."""
        batch, time = int(rng.integers(1, 6)), int(rng.integers(1, largest + 1))
        classes = int(rng.integers(500, 2000)) if rng.random() < 1 / 3 else 1 + int(largest ** rng.uniform(0, 0.9))
        axes = str(rng.choice(["NTC", "TNC"]))
        span = [(0.0, 1.0), (0.5, 0.5 + 2**-22), (-30.0, 30.0)][int(rng.integers(3 if like else 2))]
        shape = (batch, time, classes) if axes == "NTC" else (time, batch, classes)
        sample = Sample(TensorSpec("float32", shape, None, None, span), int(rng.integers(2**31)))
        return Case({"blank": int(rng.integers(-classes, classes)), "axes": axes}, (sample,), (like,))
