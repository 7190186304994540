"""The commands of plexguard-cloud-run, one module each: what is asked for, and what is printed."""
