"""Questions without an answer: who waits, in which words, and what was done about them."""
