"""Measures the product against what somebody would pick instead. Nothing of the product imports this package."""
