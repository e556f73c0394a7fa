"""Steps that turn class scores into answers."""
