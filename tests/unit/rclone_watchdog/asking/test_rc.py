"""The remote control's address, and names of remotes."""

import json
import os

import pytest

from plexguard.core.errors import DataError
from plexguard.rclone_watchdog.asking.rc import AddressFile, RcAddress, name_of, with_option

ADDRESS = {"url": "unix:///run/rc.sock", "user": "watchdog", "password": "very-secret", "pid": 7, "remote": "s3:media"}


@pytest.mark.parametrize(
    ("remote", "name", "more"),
    [
        ("s3:media", "s3", "s3,a=true:media"),
        ("s3:", "s3", "s3,a=true:"),
        ("s3:media/a:b", "s3", "s3,a=true:media/a:b"),
        (":s3:media", ":s3", ":s3,a=true:media"),
        ("s3,region=eu:media", "s3", "s3,region=eu,a=true:media"),
        (':s3,endpoint="http://x:1/",env_auth:media', ":s3", ':s3,endpoint="http://x:1/",env_auth,a=true:media'),
        ('s3,endpoint=\'it\'\'s:here\',x="say ""a:b""":media', "s3", 's3,endpoint=\'it\'\'s:here\',x="say ""a:b""",a=true:media'),
        ("my remote+1.x@y:media", "my remote+1.x@y", "my remote+1.x@y,a=true:media"),
    ],
)
def test_a_remote_has_a_name_options_and_a_path(remote, name, more):
    assert name_of(remote) == name
    assert with_option(remote, "a=true") == more


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"url": "x", "user": "y"}', '{"url":1,"user":2,"password":3,"pid":"x"}'])
def test_an_address_that_is_torn_or_foreign_is_an_error_that_names_it(text):
    with pytest.raises(DataError):
        RcAddress.from_json(text)


def test_the_address_is_read_again_when_rclone_was_started_again(tmp_path):
    path = tmp_path / "rc.json"
    file = AddressFile(path)
    assert file.read() is None

    path.write_text(json.dumps(ADDRESS))
    first = file.read()
    path.with_suffix(".new").write_text(json.dumps({**ADDRESS, "pid": 8}))
    os.replace(path.with_suffix(".new"), path)
    second = file.read()
    path.unlink()

    assert (first and first.pid, second and second.pid, file.read()) == (7, 8, None)


def test_the_password_is_not_in_what_an_address_prints_as():
    assert "very-secret" not in repr(RcAddress.from_json(json.dumps(ADDRESS)))
