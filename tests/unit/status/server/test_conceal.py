"""What leaves has no secret in it, wherever one was planted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.secret import Secret
from plexguard.status.server.conceal import conceal, conceal_text

TOKEN = "Zz9planted-secret"
Secret(TOKEN)


@pytest.mark.parametrize(
    "text",
    [
        f"a {TOKEN} b",
        "http://127.0.0.1/?X-Plex-Token=Qq8hidden-value",
        "http://x/?url=http%3A%2F%2Fy%3FX-Plex-Token%3DQq8hidden-value",
        "Authorization: Bearer Qq8hidden-value",
        "claim-Qq8hidden-value12345",
        "Failed to ask https://me:Qq8hidden-value@example.com/x: no route",
        "/etc/plexguard/credentials/Qq8hidden-value",
        "cat '/etc/plexguard/credentials/plex.Qq8hidden-value'",
        "/run/credentials/plexguard-plex-probe.service/Qq8hidden-value",
    ],
)
def test_secrets_and_where_they_are_are_masked(text: str) -> None:
    shown = conceal_text(text)
    assert TOKEN not in shown and "Qq8hidden" not in shown and "***" in shown


@pytest.mark.parametrize("name", ["X-Plex-Token", "password", "access_token", "Authorization", "secret_key"])
def test_a_value_is_judged_by_its_name_too(name: str) -> None:
    assert conceal({"a": [{name: "Qq8hidden-value"}]}) == {"a": [{name: "***"}]}
    assert conceal({name: ""}) == {name: ""}


def test_a_row_of_details_is_judged_by_its_label_and_two_reasons_are_no_row() -> None:
    assert conceal({"details": [["password", "Qq8hidden-value"], ["x", "y"]]}) == {"details": [["password", "***"], ["x", "y"]]}
    assert conceal({"reasons": ["no password", "Plex is hung"]}) == {"reasons": ["no password", "Plex is hung"]}


def test_no_text_is_endless() -> None:
    assert len(conceal_text("a" * 1_000_000)) < 10_000


def test_other_words_stay() -> None:
    data = {
        "message": "token refused at level token",
        "command": "plexguard-plex-probe --explain",
        "n": [1, 2.5, None, True],
        "d": {},
    }
    assert conceal(data) == data


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_it_stays_json_of_the_same_shape(data: object) -> None:
    shown = conceal({"data": data, "x": f"{TOKEN}"})
    assert TOKEN not in json.dumps(shown)
    assert set(shown) == {"data", "x"}
