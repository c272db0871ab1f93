"""The search box that any page can carry."""
