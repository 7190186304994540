"""What is rented: by which lease and label, with which keys, for how much, and how it is given back."""
