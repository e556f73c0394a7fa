"""Steps on detections: boxes are float32 [..., 4], x1, y1, x2, y2 in px unless said otherwise."""
