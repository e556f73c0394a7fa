"""Steps on images: uint8 or float tensors with the axes C, H and W."""
