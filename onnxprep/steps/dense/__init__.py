"""Steps on pictures and depths that a model gives."""
