from pathlib import Path

import pytest

from plexguard.core.errors import UsageError
from plexguard.core.ssh import Login, find_login


@pytest.mark.parametrize(
    ("text", "user", "address", "port"),
    [
        ("nas", "root", "nas", 22),
        ("ana@nas", "ana", "nas", 22),
        ("ana@nas:2222", "ana", "nas", 2222),
        ("fe80::1", "root", "fe80::1", 22),
        ("ana@[fe80::1]:2222", "ana", "fe80::1", 2222),
    ],
)
def test_a_login_is_read_as_people_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, user: str, address: str, port: int
) -> None:
    monkeypatch.setenv("USER", "root")
    login = find_login(text, home=tmp_path)

    assert (login.user, login.address, login.port) == (user, address, port)


def test_what_the_own_configuration_says_of_a_host_holds(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host nas\n HostName 192.0.2.7\n User ana\n Port 2022\n IdentityFile /keys/nas\n")

    assert find_login("nas", home=tmp_path) == Login(
        name="nas", address="192.0.2.7", user="ana", port=2022, keys=("/keys/nas",), known_hosts=()
    )
    assert find_login("bo@nas:22", home=tmp_path).port == 22


@pytest.mark.parametrize("text", ["", "ana@", "-oProxyCommand=x", "nas:ssh"])
def test_what_is_no_host_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        find_login(text, home=tmp_path)


def test_a_host_behind_another_is_refused_and_not_reached_past_it(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host nas\n ProxyJump gate\n")

    with pytest.raises(UsageError, match="through another host"):
        find_login("nas", home=tmp_path)
