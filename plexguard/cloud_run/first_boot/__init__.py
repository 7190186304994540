"""What a rented machine is told for its first boot, and when it is ready."""
