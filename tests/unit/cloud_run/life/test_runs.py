"""Where the files of runs are: the administrator's own, those that are shipped, and drop-ins."""

import pytest

from plexguard.cloud_run.life.runs import find_runs, keep_run, read_kept, read_run
from plexguard.core.errors import MissingInput
from tests.generate import ROOT

SHIPPED = ROOT / "packaging/cloud-run"


@pytest.fixture
def own(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    return folder


def test_runs_are_the_administrators_own_and_those_that_are_shipped(own):
    for name in ("mine.toml", "delta.toml", "Bad Name.toml", "notes.txt"):
        (own / name).touch()
    (own / "full.toml.d").mkdir()

    assert find_runs(folder=own, shipped=SHIPPED) == ("delta", "full", "localtest", "mine")
    assert find_runs(folder=own / "gone", shipped=own / "gone") == ()


def test_what_is_shipped_is_what_its_name_says(own):
    delta, full, localtest = (read_run(name, folder=own, shipped=SHIPPED) for name in ("delta", "full", "localtest"))

    assert (delta.database, delta.libraries, delta.scan, delta.analyze, delta.sonic) == ("newest", (), True, True, True)
    assert (full.database, full.libraries) == ("none", "home")
    assert (localtest.instance, localtest.claim, localtest.sonic) == ("lite", "never", False)
    # Whatever a machine costs, it costs more.
    assert 0 < localtest.max_cost < 0.01
    # All but photos, which only a title lets in.
    assert delta.sections == full.sections == localtest.sections == ()


def test_file_of_the_administrators_replaces_the_shipped_one_and_a_drop_in_changes_either(own):
    (own / "delta.toml.d").mkdir()
    (own / "delta.toml.d/sonic.toml").write_text("sonic = false\n")
    changed = read_run("delta", folder=own, shipped=SHIPPED)
    assert (changed.database, changed.sonic) == ("newest", False)

    (own / "delta.toml").write_text("analyze = false\n")
    replaced = read_run("delta", folder=own, shipped=SHIPPED)
    assert (replaced.database, replaced.analyze, replaced.sonic) == ("none", False, False)


def test_run_goes_on_by_the_file_and_the_drop_ins_that_it_began_with(own, tmp_path):
    kept = tmp_path / "state"
    kept.mkdir()
    (own / "delta.toml.d").mkdir()
    (own / "delta.toml.d/sonic.toml").write_text("sonic = false\n")
    keep_run("delta", kept, folder=own, shipped=SHIPPED)

    (own / "delta.toml.d/sonic.toml").write_text("sonic = true\n")
    (own / "delta.toml").write_text('database = "none"\n')
    assert (read_kept("delta", kept).database, read_kept("delta", kept).sonic) == ("newest", False)

    # And another run of that name by what there is then, without a drop-in that was there before.
    (own / "delta.toml.d/sonic.toml").unlink()
    keep_run("delta", kept, folder=own, shipped=SHIPPED)
    assert (read_kept("delta", kept).database, read_kept("delta", kept).sonic) == ("none", True)


def test_run_that_is_nowhere_is_told(own):
    with pytest.raises(MissingInput, match=r"gone\.toml: there is no such run"):
        read_run("gone", folder=own, shipped=SHIPPED)
