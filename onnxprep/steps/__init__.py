"""The steps that come with onnxprep: one module per operation."""
