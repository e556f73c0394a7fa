"""center_crop of albumentations: inside the image, as the slicing of NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from onnxprep.step import Case, Claim
from onnxprep.steps.image.center_crop.inside import CenterCropInside
from onnxprep.steps.image.planar import each_image
from onnxprep.tensor import Array, Tensor


class CenterCropAlbumentations(CenterCropInside):
    """``y = x[top : top + h, left : left + w]`` with ``top = (H - h) // 2`` and ``left = (W - w) // 2``.

    Input: image, uint8 or float32, at least as large as the crop.
    Output: the same dtype, layout and colour; H, W = size.
    Rounds: never.
    Source: albumentations 2.0.8, augmentations/crops/functional.py get_center_crop_coords. As there, an image that is
        too small is an error.
    Raises: ContractError where the tensor is no image, or H or W is known to be too small. Where they are not known,
        running the graph fails in the Reshape of this step.
    """

    operation: ClassVar[str] = "center_crop"
    claims: ClassVar = {"albumentations": Claim("albumentations", ">=2,<3", "CenterCrop", note="without pad_if_needed")}

    def oracle(self, *inputs: Tensor) -> Array:
        """The transform itself."""
        import albumentations

        height, width = self._sides
        crop = albumentations.CenterCrop(height=height, width=width, p=1.0)
        return each_image(inputs[0], "HWC", lambda image: crop(image=image)["image"])

    @classmethod
    def cases(cls) -> Iterator[Case]:
        """Differences of 0 to 3 px; one pixel."""
        return super().cases()
