"""plexguard-net-recover: is the network there, and if not, what is missing, and the step that may bring it back."""
