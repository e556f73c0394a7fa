"""ycbcr_to_rgb: colours out of brightness and two colour differences."""
