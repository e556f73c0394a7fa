"""normalize: a mean and a divisor per channel, by the arithmetic of each family."""
