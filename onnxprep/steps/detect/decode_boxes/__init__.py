"""decode_boxes: boxes and scores out of what the heads of detectors give; the family names the head."""
