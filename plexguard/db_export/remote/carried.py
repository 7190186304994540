"""Parameters that name a file: of this machine, or, with a colon before it, of the other one."""

import click


class Carried(click.Path):
    """A file of this machine that a command takes, and that is carried to the other where the command runs there."""

    name = "file"


class Brought(click.Path):
    """A file or folder of this machine that a command makes, and that is brought back from the other."""

    name = "file"
