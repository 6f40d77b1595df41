"""What predictions are expected to be where nothing is computed, and what to do when they turn out wrong."""
