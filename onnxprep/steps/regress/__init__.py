"""Steps on measured quantities: what a regression gives, in the units of its targets."""
