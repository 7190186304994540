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


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"/t/to/here/plex.tar.zst\n", '/h\u00e9re "too"/here/plex.tar.zst\n'.encode()),
        (b"<6>made: '/t/archive/x y.zst' of :/x\n", b"<6>made: '/a/x y.zst' of :/x\n"),
        (b'{"path": "/t/to/here/p", "of": "/t/archive/x y.zst"}', b'{"path": "/h\\u00e9re \\"too\\"/here/p", "of": "/a/x y.zst"}'),
        (b"/t/to/elsewhere \xff\n", b"/t/to/elsewhere \xff\n"),
    ],
    ids=["a folder that comes back", "a file that was carried", "as JSON", "something else"],
)
def test_what_is_printed_there_names_files_as_they_are_called_here(line: bytes, shown: bytes) -> None:
    errand = plan("work", "/a/x y.zst", "--to", '/h\u00e9re "too"/here')

    assert errand.translate(line) == shown
