"""Whole preprocessing chains as their libraries run them; what the sweep and the benchmark compare with a spec's graph."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from onnxprep.tensor import Array

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
CLIP = {"mean": [0.48145466, 0.4578275, 0.40821073], "std": [0.26862954, 0.26130258, 0.27577711]}
HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
NCHW = {"to_layout": {"layout": "NCHW"}}


@dataclass(frozen=True)
class Pipeline:
    """A chain, twice: as steps of a spec, and as the library's own calls on one HWC image.

    Attributes:
        name: for tables.
        steps: the spec's ``preprocess``.
        library: makes the callable from HWC uint8 to the model's input, without the axis N; imports what it needs.
        color: the colour of the image that both get.
        bound: the largest difference that is promised; 0 is bit-exact.
        benchmarked: whether it is one of the six whose speed is compared.
    """

    name: str
    steps: tuple[Any, ...]
    library: Callable[[], Callable[[Array], Array]]
    color: str = "RGB"
    bound: float = 0.0
    benchmarked: bool = False
    spec: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        image = {"name": "image", "dtype": "uint8", "layout": "NHWC", "color": self.color, "shape": ["N", "H", "W", 3]}
        object.__setattr__(self, "spec", {"onnxprep": 1, "inputs": [image], "preprocess": list(self.steps)})


def one_thread() -> Any:
    """torch, on one thread."""
    import torch

    torch.set_num_threads(1)
    return torch


# torchvision ------------------------------------------------------------------------------------------------------


def torchvision_v1() -> Callable[[Array], Array]:
    one_thread()
    from PIL import Image
    from torchvision import transforms as t

    chain = t.Compose([t.Resize(256), t.CenterCrop(224), t.ToTensor(), t.Normalize(**IMAGENET)])
    return lambda image: chain(Image.fromarray(image)).numpy()


def torchvision_weights() -> Callable[[Array], Array]:
    one_thread()
    from PIL import Image
    from torchvision.models import ResNet50_Weights

    chain = ResNet50_Weights.IMAGENET1K_V2.transforms()
    return lambda image: chain(Image.fromarray(image)).numpy()


def torchvision_v2() -> Callable[[Array], Array]:
    torch = one_thread()
    from torchvision.transforms import v2

    steps = [v2.Resize(256, antialias=True), v2.CenterCrop(224), v2.ToDtype(torch.float32, scale=True)]
    chain = v2.Compose([*steps, v2.Normalize(**IMAGENET)])
    return lambda image: chain(torch.from_numpy(image).permute(2, 0, 1)).numpy()


V1 = {"like": "torchvision-v1"}
V2 = {"like": "torchvision-v2"}


def imagenet(
    size: Any, crop: int, like: str, resize_like: str, interpolation: str, **constants: Any
) -> tuple[Any, ...]:
    """Resize, crop, rescale, normalise."""
    return (
        {"resize": {"size": size, "interpolation": interpolation, "like": resize_like}},
        {"center_crop": {"size": crop, "like": like}}, {"rescale": {"like": like}},
        {"normalize": {**constants, "like": like}}, NCHW,
    )  # fmt: skip


TORCHVISION = (
    Pipeline("torchvision v1 preset (Pillow)", imagenet(256, 224, "torchvision-v1", "pillow-13", "bilinear", **IMAGENET),
             torchvision_v1, benchmarked=True),
    Pipeline("torchvision weights.transforms() (Pillow)",
             imagenet(232, 224, "torchvision-v1", "pillow-13", "bilinear", **IMAGENET), torchvision_weights),
    Pipeline("torchvision v2 preset (uint8 tensor)",
             imagenet(256, 224, "torchvision-v2", "torchvision-v2", "bilinear", **IMAGENET), torchvision_v2, benchmarked=True),
)  # fmt: skip


# timm -------------------------------------------------------------------------------------------------------------


def timm_eval(crop_pct: float, crop_mode: str) -> Callable[[], Callable[[Array], Array]]:
    def library() -> Callable[[Array], Array]:
        one_thread()
        from PIL import Image
        from timm.data import create_transform

        given = {"interpolation": "bicubic", "crop_pct": crop_pct, "crop_mode": crop_mode, "is_training": False}
        chain = create_transform((3, 224, 224), **given)
        return lambda image: chain(Image.fromarray(image)).numpy()

    return library


def timm_steps(crop_pct: float, crop_mode: str) -> tuple[Any, ...]:
    scaled = int(224 // crop_pct)
    sizes: dict[str, Any] = {
        "center": scaled, "squash": [scaled, scaled], "border": {"fit": [scaled, scaled], "rule": "timm"},
    }  # fmt: skip
    steps = imagenet(sizes[crop_mode], 224, "timm", "pillow-13", "bicubic", **IMAGENET)
    steps[1]["center_crop"] |= {"fill": [124.0, 116.0, 104.0]} if crop_mode == "border" else {}  # round(255 * mean)
    return steps


TIMM = tuple(
    Pipeline(f"timm eval bicubic crop_pct {crop_pct} {crop_mode}", timm_steps(crop_pct, crop_mode),
             timm_eval(crop_pct, crop_mode), benchmarked=(crop_pct, crop_mode) == (0.875, "center"))
    for crop_pct, crop_mode in (
        (0.875, "center"), (0.9, "center"), (0.95, "center"), (1.0, "center"), (0.9, "squash"), (0.9, "border"),
        (1.0, "squash"), (1.0, "border"),
    )
)  # fmt: skip


# transformers -----------------------------------------------------------------------------------------------------


def processor(name: str, backend: str, **given: Any) -> Callable[[], Callable[[Array], Array]]:
    def library() -> Callable[[Array], Array]:
        torch = one_thread()
        import transformers
        from PIL import Image

        made = getattr(transformers, f"{name}ImageProcessor{'Pil' if backend == 'pil' else ''}")(**given)

        def run(image: Array) -> Array:
            found = made(Image.fromarray(image), return_tensors="pt")["pixel_values"]
            return torch.as_tensor(found)[0].numpy()

        return run

    return library


def processor_steps(backend: str, size: Any, crop: int | None, interpolation: str, **constants: Any) -> tuple[Any, ...]:
    like = f"transformers-{backend}"
    resize_like = "pillow-13" if backend == "pil" else like
    steps: list[Any] = [{"resize": {"size": size, "interpolation": interpolation, "like": resize_like}}]
    steps += [{"center_crop": {"size": crop, "like": like}}] if crop else []
    if backend == "pil":
        return (*steps, {"rescale": {"like": like}}, {"normalize": {**constants, "like": like}}, NCHW)
    return (*steps, {"rescale_normalize": {**constants, "like": like}}, NCHW)


_PROCESSORS: tuple[tuple[str, Any, int | None, str, dict[str, Any], dict[str, Any]], ...] = (
    ("ViT", [224, 224], None, "bilinear", HALF, {}),
    ("CLIP", 224, 224, "bicubic", CLIP, {}),
    ("ConvNext", 256, 224, "bicubic", IMAGENET,
     {"size": {"shortest_edge": 224}, "image_mean": IMAGENET["mean"], "image_std": IMAGENET["std"]}),
    ("ConvNext", [384, 384], None, "bicubic", HALF, {}),
)  # fmt: skip
TRANSFORMERS = tuple(
    Pipeline(f"transformers {name} {size if crop is None else crop} ({backend})",
             processor_steps(backend, size, crop, interpolation, **constants), processor(name, backend, **given),
             benchmarked=(name, backend) == ("CLIP", "torchvision"))
    for backend in ("pil", "torchvision")
    for name, size, crop, interpolation, constants, given in _PROCESSORS
)  # fmt: skip


# OpenCV -----------------------------------------------------------------------------------------------------------


@cache
def opencv() -> Any:
    """cv2, on one thread; native code where the default would be IPP's."""
    import cv2

    cv2.setNumThreads(1)
    return cv2


def opencv_like() -> str:
    """The family of the installed OpenCV."""
    return f"opencv-{opencv().__version__.split('.')[0]}"


def ultralytics() -> Callable[[Array], Array]:
    """LetterBox(640, auto=False) of ultralytics 8.3, written out, and what its predictor does behind it."""
    cv2 = opencv()

    def run(image: Array) -> Array:
        height, width = image.shape[:2]
        r = min(640 / height, 640 / width)
        new = round(width * r), round(height * r)
        dw, dh = (640 - new[0]) / 2, (640 - new[1]) / 2
        resized = cv2.resize(image, new, interpolation=cv2.INTER_LINEAR) if (width, height) != new else image
        top, bottom, left, right = round(dh - 0.1), round(dh + 0.1), round(dw - 0.1), round(dw + 0.1)
        boxed = cv2.copyMakeBorder(resized, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(114, 114, 114))
        planar = np.ascontiguousarray(boxed[..., ::-1].transpose(2, 0, 1)).astype(np.float32)
        planar /= 255
        return planar

    return run


def hand_written() -> Callable[[Array], Array]:
    """(a): what people write with OpenCV and NumPy."""
    cv2, mean, std = opencv(), np.array(IMAGENET["mean"]), np.array(IMAGENET["std"])

    def run(image: Array) -> Array:
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        x = cv2.resize(rgb, (256, 256)).astype(np.float32) / 255.0
        return np.ascontiguousarray(((x - mean) / std).transpose(2, 0, 1).astype(np.float32))

    return run


def torch_wrapper(blurred: bool) -> Callable[[], Callable[[Array], Array]]:
    """(b): float / 255, normalise, F.interpolate in a wrapped module; (c): a GaussianBlur in front of it."""

    def library() -> Callable[[Array], Array]:
        torch, cv2 = one_thread(), opencv()
        mean, std = (torch.tensor(IMAGENET[key])[None, :, None, None] for key in ("mean", "std"))

        def run(image: Array) -> Array:
            if blurred:
                image = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), (3, 3), 0)
            x = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].float() / 255
            x = torch.nn.functional.interpolate((x - mean) / std, (224, 224), mode="bilinear", align_corners=False)
            return x[0].numpy()

        return run

    return library


def opencv_pipelines() -> tuple[Pipeline, ...]:
    """Those that follow the installed OpenCV."""
    like = opencv_like()
    bgr = {"convert_color": {"to": "RGB"}}
    boxed = {"letterbox": {"size": 640, "resize_like": like, "like": "ultralytics"}}
    resize = {"resize": {"size": [256, 256], "interpolation": "bilinear", "like": like}}
    by_hand = ({"rescale": {"like": "numpy"}}, {"normalize": {**IMAGENET, "precision": "float64", "like": "numpy"}})
    late = {"resize": {"size": [224, 224], "interpolation": "bilinear", "exact": False, "like": "torch"}}
    floats: list[Any] = [{"rescale": V1}, {"normalize": {**IMAGENET, **V1}}, late, NCHW]
    blur = {"gaussian_blur": {"kernel_size": 3, "like": like}}
    bounded: dict[str, Any] = {"bound": 3.2e-6}  # 1.2e-6 of the largest value, 2.64
    chains = [
        Pipeline(f"ultralytics letterbox 640 / 255 ({like})", (boxed, bgr, {"rescale": {"like": "numpy"}}, NCHW),
                 ultralytics, "BGR", benchmarked=True),
        Pipeline(f"by hand (a): {like} and NumPy, float64 mean and std", (bgr, resize, *by_hand, NCHW),
                 hand_written, "BGR", benchmarked=True),
    ]  # fmt: skip
    if importlib.util.find_spec("torch"):
        chains += [
            Pipeline("by hand (b): torch wrapper, F.interpolate behind normalize", tuple(floats),
                     torch_wrapper(blurred=False), **bounded),
            Pipeline(f"by hand (c): {like} blur, then (b)", (bgr, blur, *floats), torch_wrapper(blurred=True), "BGR", **bounded),
        ]  # fmt: skip
    return tuple(chains)


def opencv_filters() -> tuple[Pipeline, ...]:
    """Single steps, bytes in and bytes out, for the benchmark: what OpenCV has vector code for."""
    cv2, like = opencv(), opencv_like()
    table = [255 - i for i in range(256)]
    steps: tuple[tuple[str, dict[str, Any], Callable[[Array], Array]], ...] = (
        ("GaussianBlur 3", {"gaussian_blur": {"kernel_size": 3, "like": like}}, lambda x: cv2.GaussianBlur(x, (3, 3), 0)),
        ("medianBlur 3", {"median_blur": {"kernel_size": 3, "like": like}}, lambda x: cv2.medianBlur(x, 3)),
        ("LUT", {"lookup_table": {"table": table}}, lambda x: cv2.LUT(x, np.array(table, np.uint8))),
        ("resize bilinear to 256 x 256", {"resize": {"size": [256, 256], "interpolation": "bilinear", "like": like}},
         lambda x: cv2.resize(x, (256, 256))),
        ("resize area to 256 x 256", {"resize": {"size": [256, 256], "interpolation": "area", "like": like}},
         lambda x: cv2.resize(x, (256, 256), interpolation=cv2.INTER_AREA)),
    )  # fmt: skip
    return tuple(Pipeline(f"{name} ({like})", (step,), lambda call=call: call) for name, step, call in steps)


# Keras ------------------------------------------------------------------------------------------------------------


def keras_application(mode: str) -> Callable[[], Callable[[Array], Array]]:
    """keras.layers.Resizing, then preprocess_input; channels last, as Keras models take them."""

    def library() -> Callable[[Array], Array]:
        import keras

        resizing = keras.layers.Resizing(224, 224)

        def run(image: Array) -> Array:
            resized = np.asarray(resizing(image[None])).astype(np.float32)
            return np.asarray(keras.applications.imagenet_utils.preprocess_input(resized, mode=mode))[0]

        return run

    return library


KERAS = tuple(
    Pipeline(f"Keras Resizing, preprocess_input {mode}",
             ({"resize": {"size": [224, 224], "interpolation": "bilinear", "like": "keras"}},
              {"rescale_normalize": {"mode": mode, "like": "keras"}}),
             keras_application(mode))
    for mode in ("caffe", "tf", "torch")
)  # fmt: skip


def pipelines() -> tuple[Pipeline, ...]:
    """Every chain whose libraries are installed here."""
    found = importlib.util.find_spec
    chains: tuple[Pipeline, ...] = ()
    chains += TORCHVISION if found("torchvision") else ()
    chains += TIMM if found("timm") else ()
    chains += TRANSFORMERS if found("transformers") else ()
    chains += opencv_pipelines() if found("cv2") else ()
    return chains + (KERAS if found("keras") else ())
