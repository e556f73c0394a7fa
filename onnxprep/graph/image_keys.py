"""ONNX's own metadata for image models (docs/MetadataProps.md), written where it can say what our input is."""

from __future__ import annotations

from onnx import ModelProto

from onnxprep.graph.metadata import IMAGE_KEYS
from onnxprep.spec.plan import Plan

_PIXEL_FORMAT = {"RGB": "Rgb8", "BGR": "Bgr8", "RGBA": "Rgba8", "GRAY": "Gray8"}


def image_entries(model: ModelProto, plan: Plan) -> dict[str, str]:
    """The keys for the only input, if it is a picture of bytes; none where the model says something itself."""
    present = {entry.key for entry in model.metadata_props}
    inputs = [plan.values[name] for name in plan.inputs]
    if len(inputs) != 1 or not inputs[0].is_image or inputs[0].dtype != "uint8" or present & set(IMAGE_KEYS):
        return {}
    color = inputs[0].color
    return (
        {"Image.BitmapPixelFormat": _PIXEL_FORMAT[color], "Image.NominalPixelRange": "NominalRange_0_255"}
        if color
        else {}
    )
