"""The rules that the parameter ``size`` may name."""
