"""center_crop: keep the middle of an image."""
