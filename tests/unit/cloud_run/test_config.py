"""The section [cloud-run]."""

import pytest

from plexguard.cloud_run.config import KEY_CREDENTIAL, Config
from plexguard.core.config import read
from plexguard.core.errors import ConfigError

PROJECT = "11111111-2222-3333-4444-555555555555"


def take(tmp_path, text: str) -> Config:
    file = tmp_path / "plexguard.toml"
    file.write_text(f"[cloud-run]\n{text}")
    settings = read(file, {})
    config = settings.take(Config)
    settings.check()
    return config


def test_nothing_is_rented_by_default(tmp_path):
    assert take(tmp_path, "").provider == "none"
    assert Config().needed_credentials() == ()


def test_scaleway_needs_a_project_and_a_key(tmp_path):
    config = take(tmp_path, f'provider = "scaleway"\nproject = "{PROJECT}"\nzones = ["nl-ams-2", "nl-ams-2", "pl-waw-3"]')

    assert config.zones == ("nl-ams-2", "pl-waw-3")
    assert config.needed_credentials() == (KEY_CREDENTIAL,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('provider = "scaleway"', "project: missing"),
        ('provider = "aws"', 'provider: found "aws"'),
        ('provider = "ssh"', "ssh: missing"),
        ('project = "mine"', 'project: found "mine"'),
        ("zones = []", "zones: found []"),
        ('zones = ["paris"]', 'zones: found ["paris"]'),
        ('zones = ["fr-par-1/../.."]', "zones: found"),
        ('owner = "Home"', 'owner: found "Home"'),
        ("max_cost = -1", "max_cost: found -1"),
        ("max_cost = true", "max_cost: found true"),
        ("max_cost = nan", "max_cost: found nan"),
        ('api = "http://api.scaleway.com"', "the key only goes out by https"),
        ('api = ""', "api: missing"),
        ("max_costs = 3", 'max_costs: unknown option, did you mean "max_cost"?'),
    ],
)
def test_mistakes_are_told(text, told, tmp_path):
    with pytest.raises(ConfigError) as caught:
        take(tmp_path, text)
    assert told in str(caught.value).replace("'", '"')


def test_key_may_go_to_this_very_machine_as_it_is(tmp_path):
    assert take(tmp_path, 'api = "http://127.0.0.1:8080"').api == "http://127.0.0.1:8080"


def test_all_mistakes_are_told_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        take(tmp_path, 'provider = "x"\nzones = 3\nmax_cost = "much"\nmore = 1')
    assert len(caught.value.mistakes) == 4
