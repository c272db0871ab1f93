"""Reading: the home page, modules, articles, and whether they helped."""
