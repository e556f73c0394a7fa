"""adjust_contrast: further from the mean brightness of the image or nearer to it, one file per library."""
