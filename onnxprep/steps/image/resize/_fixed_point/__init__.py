"""Filters as wide as the reduction in fixed point: what Pillow and torch share."""
