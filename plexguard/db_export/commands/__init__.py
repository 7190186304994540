"""The commands of plexguard-db-export, one module each: what is asked for, and what is printed.

Each holds a click command that imports what it needs when it runs: --help and a command that ends in a line are fast.
"""
