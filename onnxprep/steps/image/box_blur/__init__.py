"""box_blur: the mean of a box around every pixel, one file per library."""
