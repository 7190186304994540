"""What is rented and held by nobody: told apart from what is in use, and given back."""
