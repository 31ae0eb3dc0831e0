"""surge_fit: the learning rate for a batch size, and how sure we are."""
