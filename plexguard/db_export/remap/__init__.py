"""Write other paths into a database: what a folder was called, and what it is called now."""
