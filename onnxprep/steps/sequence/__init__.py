"""Steps on sequences: what a recognizer of text or speech gives, one answer per step of time."""
