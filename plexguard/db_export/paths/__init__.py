"""Whether the files are there that a database knows, and where those may be that are not."""
