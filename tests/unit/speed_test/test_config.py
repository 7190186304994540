"""What [speed-test] may hold."""

from datetime import time
from pathlib import Path

import pytest

from plexguard.core import config
from plexguard.core.config import Settings
from plexguard.core.endpoints import ENDPOINTS, Endpoint
from plexguard.speed_test.config import COMMAND, TIME_OF_DAY, ZONE, Config


def settings(folder: Path, text: str) -> Settings:
    file = folder / "plexguard.toml"
    file.write_text(text)
    return config.read(file, {})


@pytest.mark.parametrize(
    ("kind", "value", "parsed"),
    [
        (TIME_OF_DAY, "00:00", time(0, 0)),
        (TIME_OF_DAY, "23:59", time(23, 59)),
        (ZONE, "Europe/Berlin", "Europe/Berlin"),
        (ZONE, "America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        (ZONE, "UTC", "UTC"),
        (ZONE, "Etc/GMT+5", "Etc/GMT+5"),
        (COMMAND, ["speedtest-cli"], ("speedtest-cli",)),
        (COMMAND, ["/opt/my test", "a b", "", "$HOME;"], ("/opt/my test", "a b", "", "$HOME;")),
        (ENDPOINTS, [], ()),
        (ENDPOINTS, ["1.1.1.1:443"], (Endpoint(address="1.1.1.1", port=443),)),
        (ENDPOINTS, ["[2620:FE::fe]:53"], (Endpoint(address="2620:fe::fe", port=53),)),
    ],
)
def test_a_value_that_is_allowed_arrives_and_is_shown_as_it_is_read(kind, value, parsed) -> None:
    assert kind.parse(value) == parsed
    # What is shown in the example file is read back as the same.
    import tomllib

    assert kind.parse(tomllib.loads(f"x = {kind.show(parsed)}")["x"]) == parsed


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *((TIME_OF_DAY, value) for value in ("2:00", "24:00", "02:60", "02:00:00", "", " 02:00", "\u0660\u0662:00", 2, None)),
        *((ZONE, value) for value in ("Europe/Atlantis", "Europe", "", "/etc/localtime", "../../etc/passwd", "EST; x", "a\nb", 5)),
        *(
            (COMMAND, value)
            for value in ("speedtest-cli --json", [], [""], ["bin/speedtest"], ["./speedtest"], [5], ["a\nb"], ["a"] * 65)
        ),
        *((ENDPOINTS, value) for value in ("1.1.1.1:443", ["1.1.1.1"], ["example.org:443"], ["1.1.1.1:0"], ["1.1.1.1:65536"])),
        *((ENDPOINTS, value) for value in (["1.1.1.256:443"], ["2620:fe::fe:443"], ["[1.1.1.1]:443"], [443], ["[fe80::1%lo]:443"])),
    ],
    ids=str,
)
def test_a_value_that_is_not_allowed_is_refused(kind, value) -> None:
    with pytest.raises(ValueError):
        kind.parse(value)


def test_an_unknown_zone_is_told_with_what_is_allowed(tmp_path: Path) -> None:
    given = settings(tmp_path, '[speed-test]\ntime_zone = "Europe/Atlantis"\nat = "2am"\n')

    assert given.take(Config) == Config()
    assert len(given.mistakes) == 2
    told = next(mistake for mistake in given.mistakes if "time_zone" in mistake)
    assert 'found "Europe/Atlantis", allowed is a time zone by its name, such as "America/New_York"' in told


def test_nothing_configured_is_two_at_night_in_new_york() -> None:
    assert (Config().at, Config().time_zone) == (time(2, 0), "America/New_York")
