"""What only Pillow's resize has."""
