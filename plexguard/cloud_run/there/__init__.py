"""The run's machine: small files for it, and work that outlives the connection."""
