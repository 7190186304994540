"""What is done with a library on the run's machine, and when it is done."""
