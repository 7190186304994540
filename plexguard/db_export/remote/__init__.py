"""The same commands on another machine: the code that runs here is carried there, with the files that a command takes."""
