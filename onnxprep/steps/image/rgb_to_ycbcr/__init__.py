"""rgb_to_ycbcr: brightness and two colour differences."""
