"""The commands of `kb`: a module is loaded when one of its commands is used, and imports no more than they need."""
