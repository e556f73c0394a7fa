"""gaussian_blur: a weighted mean around every pixel, one file per library."""
