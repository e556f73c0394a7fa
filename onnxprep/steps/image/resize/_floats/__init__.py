"""Resizes in float32: TensorFlow and torch."""
