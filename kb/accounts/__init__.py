"""People with rights: their accounts, how they sign in, and what their role allows."""
