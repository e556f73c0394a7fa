"""depth_to_original: a depth, or any other map of one value per pixel, as large as the picture."""
