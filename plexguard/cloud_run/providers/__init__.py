"""Where machines come from: one small interface (provider.py), and a module or folder for each kind."""
