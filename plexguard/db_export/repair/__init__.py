"""Mend a damaged database on copies, with the least loss, and say what was lost."""
