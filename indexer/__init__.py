"""Markdown articles in, a published search index out. Knows no Flask, no database and nothing of `kb`."""
