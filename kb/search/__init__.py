"""From what a person typed to hits, a verdict and its reason."""
