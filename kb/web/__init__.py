"""What every page and answer shares: who asks, headers, limits, form tokens, errors, health."""
