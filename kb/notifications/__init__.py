"""What people are told outside of pages: by mail, in their team's chat, by the app that they came from."""
