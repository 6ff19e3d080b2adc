"""Many projects in one start: a child process for each, packages loaded once for all of them."""
