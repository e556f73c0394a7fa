"""What Pillow makes of an image, at the size the rule's own library tells. Shares no arithmetic with the graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxprep.steps.image.planar import each_image
from onnxprep.steps.image.resize._sizes.rule import Pair, SizeRule
from onnxprep.tensor import Array, Tensor


def resize(
    x: Tensor,
    like: str,
    size: Pair | SizeRule,
    interpolation: str,
    box: tuple[float, float, float, float] | None = None,
) -> Array:
    """``Image.resize`` on every image; channels that are no RGB or RGBA go one by one."""
    import PIL
    from PIL import Image

    _refuse_other(like, PIL.__version__)
    filters = {
        name: Image.Resampling[name.upper()] for name in ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
    }
    h, w = (x.spec.dim(letter) for letter in "HW")
    height, width = resized_sides(size, int(h), int(w))  # type: ignore[arg-type]  # a Tensor's dims are ints

    def one(image: Array) -> Array:
        if image.shape[-1] == 3 or x.spec.color == "RGBA":
            return np.asarray(Image.fromarray(image).resize((width, height), filters[interpolation], box))
        planes = [Image.fromarray(np.ascontiguousarray(image[..., c])) for c in range(image.shape[-1])]
        return np.stack([np.asarray(p.resize((width, height), filters[interpolation], box)) for p in planes], axis=-1)

    if 0 in x.array.shape:
        dims = {"N": 0, "H": height, "W": width, "C": x.spec.dim("C")}
        return np.zeros([int(dims[letter]) for letter in str(x.spec.layout)], np.uint8)  # type: ignore[arg-type]
    return each_image(x, "HWC", one)


def _refuse_other(like: str, version: str) -> None:
    major, minor = (int(part) for part in version.split(".")[:2])
    if f"pillow-{major}" != like or (major, minor) in ((12, 0), (12, 1)):
        raise ImportError(f"{like} was asked for, Pillow {version} is installed", name="PIL")


def resized_sides(size: Pair | SizeRule, height: int, width: int) -> tuple[int, int]:
    """(h, w), from the library; written out where the library's own formula cannot be called by itself."""
    if isinstance(size, tuple):
        return size
    h, w = _SIDES[size.main, size.rule](height, width, size)
    return int(h), int(w)


def _torchvision(h: int, w: int, size: Any) -> Any:
    from torchvision.transforms.functional import _compute_resized_output_size as sides

    return sides((h, w), [size.shorter_edge], size.max_size)


def _torchvision_longest(h: int, w: int, size: Any) -> Any:
    from torchvision.transforms.functional import _compute_resized_output_size as sides

    return sides((h, w), None, size.longest_edge, allow_size_none=True)


def _shorter_ceil(h: int, w: int, size: Any) -> Any:
    from transformers.image_transforms import get_resize_output_image_size as sides

    both = sides(np.zeros((3, h, w), np.uint8), size.shorter_edge, default_to_square=False)
    return [n + (-n) % size.multiple for n in both]  # TextNet's resize goes on to the pixels


def _shorter_half_even(h: int, w: int, size: Any) -> Any:
    import albumentations

    transform = albumentations.SmallestMaxSize(max_size=size.shorter_edge)
    return transform(image=np.zeros((h, w, 3), np.uint8))["image"].shape[:2]


def _shorter_round_ceil(h: int, w: int, size: Any) -> Any:
    from transformers.models.pp_lcnet.image_processing_pp_lcnet import PPLCNetImageProcessor

    both = PPLCNetImageProcessor().get_image_size(np.zeros((3, h, w), np.uint8), size.shorter_edge, size.multiple)
    return both.height, both.width


def _ppocr_det(h: int, w: int, size: Any) -> Any:
    import torch
    from transformers.models.pp_ocrv5_server_det.image_processing_pp_ocrv5_server_det import (
        PPOCRV5ServerDetImageProcessor,
    )

    if size.main == "shorter_edge":
        limit = size.shorter_edge, "min"
    else:
        limit = size.longest_edge, "resize_long" if size.enlarge else "max"
    image = torch.zeros((3, h, w), dtype=torch.uint8)
    both, _ = PPOCRV5ServerDetImageProcessor().get_image_size(image, *limit, size.max_size)
    return both.height, both.width


def _ppocr_rec(h: int, w: int, size: Any) -> Any:
    from transformers.models.pp_ocrv5_server_rec.image_processing_pp_ocrv5_server_rec import (
        PPOCRV5ServerRecImageProcessor,
    )

    processor = PPOCRV5ServerRecImageProcessor(
        size={"height": size.fit[0], "width": size.fit[1]}, max_image_width=size.max_width
    )
    both = processor.get_target_size([(h, w)])
    return both.height, both.width


def _detr(h: int, w: int, size: Any) -> Any:
    from transformers.image_transforms import get_size_with_aspect_ratio

    return get_size_with_aspect_ratio((h, w), size.shorter_edge, size.max_size)


def _detr_ceil(h: int, w: int, size: Any) -> Any:
    return [n + (-n) % size.multiple for n in _detr(h, w, size)]  # MaskFormer's resize goes on to the pixels


def _yolos(h: int, w: int, size: Any) -> Any:
    from transformers.models.yolos.image_processing_pil_yolos import get_size_with_aspect_ratio_yolos

    return get_size_with_aspect_ratio_yolos((h, w), size.shorter_edge, size.max_size)


def _vilt(h: int, w: int, size: Any) -> Any:
    from transformers.models.vilt.image_processing_pil_vilt import get_resize_output_image_size as sides

    return sides(np.zeros((3, h, w), np.uint8), size.shorter_edge, size.max_size, size.multiple)


def _half_up(h: int, w: int, size: Any) -> Any:
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    return SamImageProcessorPil()._get_preprocess_shape((h, w), size.longest_edge)  # noqa: SLF001  # the library's own


def _half_even(h: int, w: int, size: Any) -> Any:
    from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

    processor, sides = JanusImageProcessorPil(), {"height": size.longest_edge, "width": size.longest_edge}
    from transformers.image_utils import SizeDict

    image = np.zeros((3, h, w), np.uint8)
    return processor.resize(image, SizeDict(**sides), size.min_size, processor.resample).shape[-2:]


def _floor(h: int, w: int, size: Any) -> Any:
    scale = size.longest_edge / max(h, w)  # Aria's stands in the middle of its _preprocess
    if w >= h:
        return max(int(h * scale), size.min_size), size.longest_edge
    return size.longest_edge, max(int(w * scale), size.min_size)


def _fit(h: int, w: int, size: Any) -> Any:
    from transformers.image_utils import get_image_size_for_max_height_width

    return get_image_size_for_max_height_width((h, w), *size.fit)


def _thumbnail(h: int, w: int, size: Any) -> Any:
    from transformers.image_utils import SizeDict
    from transformers.models.donut.image_processing_pil_donut import DonutImageProcessorPil

    sides = SizeDict(height=size.fit[0], width=size.fit[1])
    return DonutImageProcessorPil().thumbnail(np.zeros((3, h, w), np.uint8), sides).shape[-2:]


def _timm(h: int, w: int, size: Any) -> Any:
    from PIL import Image
    from timm.data.transforms import ResizeKeepRatio

    return ResizeKeepRatio.get_params(Image.new("L", (w, h)), size.fit, 1.0)


def _patches(h: int, w: int, size: Any) -> Any:
    from transformers.models.pixtral.image_processing_pil_pixtral import get_resize_output_image_size as sides

    return sides(np.zeros((3, h, w), np.uint8), size.fit, size.multiple)


def _dpt(h: int, w: int, size: Any) -> Any:
    from transformers.models.dpt.image_processing_pil_dpt import get_resize_output_image_size as sides

    both = sides(np.zeros((3, h, w), np.uint8), size.fit, size.keep_aspect_ratio, size.multiple)
    return both.height, both.width


def _floor_multiple(h: int, w: int, size: Any) -> Any:
    return h // size.multiple * size.multiple, w // size.multiple * size.multiple


def _smart(h: int, w: int, size: Any) -> Any:
    from transformers.models.emu3.image_processing_emu3 import smart_resize

    return smart_resize(h, w, size.multiple, size.min_pixels, size.max_pixels)


_SIDES: dict[tuple[str, str], Callable[[int, int, Any], Any]] = {
    ("shorter_edge", "torchvision"): _torchvision, ("shorter_edge", "shorter_ceil"): _shorter_ceil,
    ("shorter_edge", "detr"): _detr, ("shorter_edge", "detr_ceil"): _detr_ceil,
    ("shorter_edge", "yolos"): _yolos, ("shorter_edge", "vilt"): _vilt,
    ("shorter_edge", "half_even"): _shorter_half_even, ("shorter_edge", "shorter_round_ceil"): _shorter_round_ceil,
    ("shorter_edge", "ppocr_det"): _ppocr_det, ("longest_edge", "ppocr_det"): _ppocr_det, ("fit", "ppocr_rec"): _ppocr_rec,
    ("longest_edge", "torchvision"): _torchvision_longest, ("longest_edge", "half_up"): _half_up,
    ("longest_edge", "half_even"): _half_even, ("longest_edge", "floor"): _floor,
    ("fit", "fit"): _fit, ("fit", "thumbnail"): _thumbnail, ("fit", "patches"): _patches, ("fit", "timm"): _timm, ("fit", "dpt"): _dpt,
    ("multiple", "floor_multiple"): _floor_multiple, ("multiple", "smart"): _smart,
}  # fmt: skip
