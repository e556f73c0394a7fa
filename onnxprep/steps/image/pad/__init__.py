"""pad: pixels around an image."""
