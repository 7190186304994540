"""The database that a run begins with: an archive of home's, found, verified and held against what is in the storage."""
