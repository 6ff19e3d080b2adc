"""A new project: its folders and settings, proposed from the files that a person brings."""
