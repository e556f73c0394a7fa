"""pad_to_multiple: pixels around an image, up to a multiple of a length."""
