"""nms: keep the best of boxes that overlap, one file per library."""
