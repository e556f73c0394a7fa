"""segmentation_mask: the class of every pixel. One module per way to resize."""
