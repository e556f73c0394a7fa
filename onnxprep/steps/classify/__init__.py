"""Steps on scores: what a classifier gives, made into names and probabilities."""
