"""equalize: spread the levels of an image evenly, one file per library."""
