"""denormalize: the targets of a regression in their own units, by the arithmetic of each family."""
