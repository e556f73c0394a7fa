"""cv2.resize, mode by mode."""
