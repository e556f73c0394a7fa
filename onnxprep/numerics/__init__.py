"""Exact arithmetic that several steps share; NumPy and the Ops protocol only."""
