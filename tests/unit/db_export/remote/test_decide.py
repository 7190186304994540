import click
import pytest

from plexguard.core.errors import UsageError
from plexguard.db_export.remote.carried import Brought, Carried
from plexguard.db_export.remote.decide import Errand, Transfer, plan_errand


@click.group("suite")
def group() -> None:
    pass


@group.command()
@click.argument("archive", type=Carried())
@click.option("--mappings", type=Carried())
@click.option("--to", type=Brought(file_okay=False))
@click.option("--word")
def work(archive: str, mappings: str | None, to: str | None, word: str | None) -> None:
    pass


def plan(*arguments: str) -> Errand:
    return plan_errand(group, arguments, "/t")


def test_files_of_ours_are_carried_and_named_anew() -> None:
    assert plan("work", "/a/x y.zst", "--mappings=m.json", "--word", "m") == Errand(
        arguments=("work", "/t/archive/x y.zst", "--mappings=/t/mappings/m.json", "--word", "m"),
        sent=(Transfer("/a/x y.zst", "/t/archive/x y.zst"), Transfer("m.json", "/t/mappings/m.json")),
    )


def test_a_folder_that_a_command_fills_comes_back_with_what_is_in_it() -> None:
    assert plan("work", ":/there/x", "--to", "/here") == Errand(
        arguments=("work", "/there/x", "--to", "/t/to/here"), fetched=(Transfer("/here/", "/t/to/here/"),)
    )


def test_a_colon_names_a_file_of_the_other_machine() -> None:
    assert plan("work", ":/x", "--to=:/y").arguments == ("work", "/x", "--to=/y")


def test_a_mistake_is_found_before_anything_is_carried() -> None:
    for wrong in (("work",), ("work", "a", "--no-such"), ("rest",)):
        with pytest.raises(click.UsageError):
            plan(*wrong)
    with pytest.raises(UsageError):
        plan()
