"""to_grayscale: one channel out of three."""
