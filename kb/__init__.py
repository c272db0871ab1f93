"""The product over the index: search, tickets, reading, analytics, accounts and the widget."""
