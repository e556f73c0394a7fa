"""A model's pre- and post-processing inside its ONNX file, bit for bit as the training library computes it."""
