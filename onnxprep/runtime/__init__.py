"""Sessions and files: everything that runs a model or touches a disk."""
