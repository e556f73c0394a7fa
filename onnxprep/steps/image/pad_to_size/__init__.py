"""pad_to_size: pixels around an image, up to a size."""
