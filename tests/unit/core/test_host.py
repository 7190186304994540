"""What a command gets of our environment. How it is run and ended is proven with real commands, elsewhere."""

import os

from plexguard.core.host import CommandFailed, CommandMissing, CommandTimeout, _environment, _last_lines


def test_command_gets_only_what_it_needs_of_our_environment() -> None:
    outer = {
        "PATH": "/opt/bin",
        "HOME": "/root",
        "LC_ALL": "de_DE",
        "NOTIFY_SOCKET": "/run/x",
        "MEDIA_ROOTS": "/srv",
        "LD_PRELOAD": "x",
    }

    assert _environment(outer) == {"PATH": "/opt/bin", "HOME": "/root", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def test_command_has_a_path_even_where_we_have_none() -> None:
    assert _environment({})["PATH"] == "/usr/sbin:/usr/bin:/sbin:/bin"


def test_failure_tells_the_last_three_lines() -> None:
    assert _last_lines("1\n2\n3\n4\n\n") == "2 / 3 / 4"
    assert _last_lines(" \n") == "no output"


def test_every_failure_of_a_command_is_the_systems_refusal() -> None:
    assert {kind("x").exit_code for kind in (CommandFailed, CommandMissing, CommandTimeout)} == {os.EX_OSERR}
