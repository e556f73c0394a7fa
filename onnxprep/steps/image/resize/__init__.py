"""resize: an image of another size. One module per family whose arithmetic is its own."""
