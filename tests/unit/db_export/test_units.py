import pytest

from plexguard.core.units import Site
from plexguard.db_export.config import ARCHIVES, Config
from plexguard.db_export.units import drop_ins

SITE = Site(folders=(), mounts=())


@pytest.mark.parametrize("config", [Config(), Config(archives=ARCHIVES)], ids=["nothing", "the default by its name"])
def test_defaults_need_no_drop_in(config):
    assert drop_ins(config, SITE) == {}


def test_service_may_write_to_the_folder_of_archives_and_waits_for_its_mount():
    made = drop_ins(Config(archives="/srv/back up"), SITE)
    assert made == {
        "plexguard-db-export.service.d/50-archives.conf": (
            '[Unit]\nRequiresMountsFor="/srv/back up"\n[Service]\nReadWritePaths=-"/srv/back up"\n'
        )
    }


def test_calendar_becomes_that_of_the_timer():
    made = drop_ins(Config(calendar="Mon,Thu 04:00"), SITE)
    assert made == {"plexguard-db-export.timer.d/50-calendar.conf": "[Timer]\nOnCalendar=\nOnCalendar=Mon,Thu 04:00\n"}


def test_change_that_was_cut_off_is_ended_before_a_plex_of_another_name():
    made = drop_ins(Config(), Site(folders=(), mounts=(), plex_unit="plex-at-home.service"))
    assert made == {"plexguard-db-export-finish.service.d/50-plex.conf": "[Unit]\nBefore=plex-at-home.service\n"}
