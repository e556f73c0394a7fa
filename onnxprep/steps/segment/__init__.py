"""Steps on maps: one value, class or score per pixel."""
