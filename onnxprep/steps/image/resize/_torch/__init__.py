"""torch's resize of bytes: fixed point of 16 bits."""
