"""Small networks of every usual shape, and how torch exports them; torch is needed, torchvision for some."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock


class Detector(nn.Module):
    """Boxes, scores and labels, sorted by score; several outputs of different dtypes and ranks."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 9, 3, 2, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = self.features(pixels).flatten(2).transpose(1, 2)
        scores, labels = found[..., 4:].sigmoid().max(-1)
        best, order = scores.topk(10, dim=1)
        boxes = torch.gather(found[..., :4], 1, order.unsqueeze(-1).expand(-1, -1, 4))
        return boxes, best, torch.gather(labels, 1, order)


class Reader(nn.Module):
    """Tokens and a mask in, a dict out, as text encoders do."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(64, 16), nn.Parameter(torch.randn(1, 12, 16))
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.0)
        self.head = nn.Linear(16, 5)

    def forward(self, tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
        hidden = self.layer(self.words(tokens) + self.places)
        pooled = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True).clamp(min=1.0)
        return {"logits": self.head(pooled), "hidden": hidden}


class Speech(nn.Module):
    """A recurrent network that also gives its state."""

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(6, 8, 2, batch_first=True, bidirectional=True)

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        made, (state, cell) = self.cells(sound)
        return made, state, cell


class Half(nn.Module):
    """float16 throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(12, 4).half()

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).softmax(-1)


class Bytes(nn.Module):
    """Takes pixels as they are and scales them itself; gives its input back as well."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        return pixels, self.conv(pixels.float() / 255).amax((2, 3))


def _pixels(side: int) -> tuple[Tensor, ...]:
    return (torch.zeros(1, 3, side, side),)


Made = tuple[Callable[[], nn.Module], tuple[Tensor, ...], dict[str, Any]]

NETWORKS: dict[str, Made] = {
    "resnet": (lambda: torchvision.models.ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10), _pixels(64), {}),
    "mobilenet_v3_small": (lambda: torchvision.models.mobilenet_v3_small(weights=None), _pixels(64), {}),
    "vit": (lambda: torchvision.models.VisionTransformer(32, 8, 2, 2, 32, 64, num_classes=10), _pixels(32), {}),
    "detector": (Detector, _pixels(32), {"output_names": ["boxes", "scores", "labels"]}),
    "text_encoder": (
        Reader, (torch.zeros(1, 12, dtype=torch.int64), torch.ones(1, 12)),
        {"input_names": ["tokens", "mask"], "output_names": ["logits", "hidden"]},
    ),
    "lstm": (Speech, (torch.zeros(1, 5, 6),), {}),
    "half": (Half, (torch.zeros(2, 12, dtype=torch.float16),), {}),
    "bytes": (Bytes, (torch.zeros(1, 3, 8, 8, dtype=torch.uint8),), {}),
}  # fmt: skip
"""Name -> how it is made, example inputs, names for the exporter."""


@dataclass(frozen=True)
class Exporter:
    """One of torch's two exporters at an opset."""

    dynamo: bool
    opset: int

    def __str__(self) -> str:
        return f"{'dynamo' if self.dynamo else 'torchscript'}-{self.opset}"


EXPORTERS = [
    *(Exporter(dynamo=False, opset=n) for n in range(11, 21)),
    *(Exporter(dynamo=True, opset=n) for n in range(18, 24)),
]


def exported(name: str, exporter: Exporter) -> bytes:
    """The network as the exporter writes it.

    Raises:
        Exception: the exporter's own, where it does not support the network at this opset.
    """
    torch.manual_seed(0)
    torch.backends.mha.set_fastpath_enabled(False)  # a fused operator that no exporter knows
    make, inputs, names = NETWORKS[name]
    network = make().eval()
    with warnings.catch_warnings(), TemporaryDirectory() as folder, torch.no_grad():
        warnings.simplefilter("ignore")
        if exporter.dynamo:
            program = torch.onnx.export(
                network, inputs, dynamo=True, opset_version=exporter.opset, verbose=False, **names
            )
            path = Path(folder) / "model.onnx"
            program.save(str(path))
            return path.read_bytes()
        file = io.BytesIO()
        torch.onnx.export(network, inputs, file, dynamo=False, opset_version=exporter.opset, **names)
        return file.getvalue()
