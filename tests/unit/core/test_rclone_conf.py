"""What of an rclone.conf another machine gets."""

import pytest

from plexguard.core.errors import DataError
from plexguard.core.rclone_conf import is_encrypted, pick_remote, read_kinds

CONF = """\
[s3]
type = s3
secret_access_key = geheim

[s3-old]
type = s3
secret_access_key = other

[secret]
type = crypt
remote = s3:media/crypt
password = hidden

[all]
type = union
upstreams = "secret:a b" s3-old:films:ro

[disk]
type = local

[home]
type = alias
remote = /srv/media

[nas]
type = sftp
key_file = /root/.ssh/id

[cloud]
type = s3
env_auth = true
"""


@pytest.mark.parametrize(
    ("remote", "names"),
    [
        ("s3:media", {"s3"}),
        ("s3,no_head=true:media", {"s3"}),
        ("secret:", {"secret", "s3"}),
        ("all:x", {"all", "secret", "s3", "s3-old"}),
        (":webdav,url=http://nas:", set()),
    ],
)
def test_machine_gets_the_remote_and_what_it_stands_on(remote, names):
    picked = pick_remote(CONF, remote)

    assert set(read_kinds(picked)) == names
    assert ("other" in picked) == ("s3-old" in names)


def test_section_is_taken_as_it_is():
    assert pick_remote(CONF, "s3:media") == "[s3]\ntype = s3\nsecret_access_key = geheim\n\n"


def test_two_that_stand_on_each_other_have_an_end():
    assert set(read_kinds(pick_remote("[a]\ntype=alias\nremote=b:\n[b]\ntype=alias\nremote=a:\n", "a:"))) == {"a", "b"}


@pytest.mark.parametrize(
    ("remote", "words"),
    [
        ("movies:", "does not know the remote movies, only: all, cloud, disk, home, nas, s3, s3-old, secret"),
        ("disk:/srv", "a folder of this machine"),
        ("home:", "a folder of this machine"),
        (":local:/srv", "a folder of this machine"),
        ("nas:", "key_file names a file of this machine"),
        ("cloud:", "env_auth"),
    ],
)
def test_remote_that_no_other_machine_can_use_is_refused(remote, words):
    with pytest.raises(DataError, match=words) as caught:
        pick_remote(CONF, remote)

    # Not a value of it.
    assert "geheim" not in str(caught.value) and "/root" not in str(caught.value)


def test_encrypted_one_is_known():
    assert is_encrypted("# Encrypted rclone configuration File\nRCLONE_ENCRYPT_V0:\nabc") and not is_encrypted(CONF)
