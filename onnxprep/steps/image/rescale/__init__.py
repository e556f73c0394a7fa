"""rescale: bytes to numbers of about 0..1, by the arithmetic of each family."""
