"""The life of a run: its file, its phases, and how far it is."""
