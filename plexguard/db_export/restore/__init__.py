"""Bring an archive's databases home: verified first, what users did since then carried over, swapped in as one."""
