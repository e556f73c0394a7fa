"""warp_affine: an image turned, scaled and moved by a matrix. One module per major version of OpenCV."""
