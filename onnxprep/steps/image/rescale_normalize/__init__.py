"""rescale_normalize: rescale and normalize where a library does both at once, by the arithmetic of each family."""
