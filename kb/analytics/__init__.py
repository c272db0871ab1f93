"""What is asked and not answered, and what to do about it."""
