"""``python -m onnxprep``."""

from onnxprep.cli import main

main(prog_name="onnxprep")
