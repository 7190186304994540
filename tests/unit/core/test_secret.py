"""Secrets: what prints as ***, and what must not."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core import secret
from plexguard.core.errors import NoPermission
from plexguard.core.secret import Secret, mask, read_credential

# Of no Secret in this file, so that only its name gives it away.
TOKEN = "zQ9x-T0k_eN7value20c"


def encoded(text: str, times: int) -> str:
    for _ in range(times):
        text = quote(text, safe="")
    return text


@pytest.mark.parametrize(
    "text",
    [
        f"X-Plex-Token: {TOKEN}",
        f"x-plex-token:{TOKEN}\r\nAccept: x",
        f"GET /library?X-Plex-Token={TOKEN}&size=1",
        f"http://h:32400/?a=1&X-Plex-Token={TOKEN}",
        f"/proxy?url={encoded(f'http://h/?X-Plex-Token={TOKEN}&b=1', 1)}",
        f"/proxy?url={encoded(f'http://h/?X-Plex-Token={TOKEN}&b=1', 2)}",
        f"/proxy?url={encoded(f'http://h/?X-Plex-Token={TOKEN}&b=1', 3)}",
        json.dumps({"X-Plex-Token": TOKEN}),
        json.dumps({"X-Plex-Token": TOKEN}, separators=(",", ":")),
        json.dumps({"log": json.dumps({"authToken": TOKEN})}),
        str({"X-Plex-Token": TOKEN}),
        f'<Preferences PlexOnlineToken="{TOKEN}" FriendlyName="vault"/>',
        f"<user authToken='{TOKEN}'/>",
        f'<user authenticationToken="{TOKEN}"/>',
        f"<authentication-token>{TOKEN}</authentication-token>",
        f"Authorization: Bearer {TOKEN}",
        f"authorization: Basic {TOKEN}==",
        f"X-Auth-Token: {TOKEN}",
        f"accessToken={TOKEN};",
        f"access_token={TOKEN}",
        f"password = {TOKEN}",
        f"secret_key: '{TOKEN}'",
        f"X-Plex-Token={encoded('-' + TOKEN, 0).replace('-', '%2D')}",
    ],
    ids=lambda text: text.replace(TOKEN, "T")[:50],
)
def test_mask_hides_what_its_name_gives_away(text: str) -> None:
    masked = mask(text)

    assert TOKEN[5:] not in masked
    assert "***" in masked


@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_mask_leaves_what_stands_around_a_token(times: int) -> None:
    inner = encoded(f"X-Plex-Token={TOKEN}&size=7", times)

    masked = mask(f"/before?{inner} after")

    assert masked.startswith("/before?X-Plex-Token")
    assert masked.endswith(encoded("&size=7", times) + " after")


@pytest.mark.parametrize("claim", ["claim-Ab3dEf6hIj9lMn2pQr5t", "claim-abcdefghij-_lmnopqr5"])
@pytest.mark.parametrize("form", ["{}", "PLEX_CLAIM={}", '"{}"', "got {}, thanks"])
def test_mask_hides_claim_tokens(claim: str, form: str) -> None:
    assert claim[6:] not in mask(form.format(claim))


@pytest.mark.parametrize(
    "text",
    [
        "/srv/media/Token (2019)/Token.mkv",
        "/srv/media/X-Plex-Token/readme.txt",
        "/srv/media/The Auth Token Film/a.mkv",
        "/srv/tv/claim-to-fame-season-one/e1.mkv",
        "/srv/tv/claim-to-fame-s01e01/e1.mkv",
        "/etc/plexguard/credentials/plex.token: cannot be read",
        "the token is wrong or missing",
        "Plex answers again after 3 min: 100% fine & well",
        "http://127.0.0.1:32400/identity?size=0",
        "a%20b%2Fc",
        "",
    ],
)
def test_mask_leaves_harmless_text_alone(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_mask_hides_a_known_value_wherever_and_however_encoded_it_stands(times: int) -> None:
    value = "p@ss w%rd/with&odd=signs"
    Secret(value)

    text = f"it was {encoded(value, times)}!"

    assert mask(text) == "it was ***!"


def test_mask_hides_the_longer_of_two_known_values_whole() -> None:
    Secret("longsecret")
    Secret("longsecret-and-more")

    assert mask("longsecret-and-more") == "***"


def test_short_value_is_no_known_value_since_it_would_mask_words() -> None:
    Secret("a")

    assert mask("a plain day") == "a plain day"


def test_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("the-value-itself")

    assert f"{secret} {secret!r} {secret!s} {[secret]}" == "*** *** *** [***]"
    assert secret.reveal() == "the-value-itself"
    with pytest.raises(TypeError):
        json.dumps(secret)


@given(st.text(max_size=200))
def test_mask_of_a_mask_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


# -- credentials ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["abc", "abc\n", "  abc \n\n"])
def test_credential_is_the_text_of_its_file_without_blanks(tmp_path: Path, content: str) -> None:
    (tmp_path / "plex.token").write_text(content)

    assert read_credential("plex.token", tmp_path) == "abc"


@pytest.mark.parametrize("content", ["", "\n", "none", "none\n"])
def test_credential_that_says_none_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "plex.token").write_text(content)

    assert read_credential("plex.token", tmp_path) is None


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_credential_that_is_not_there_is_none(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("x")

    assert read_credential("plex.token", tmp_path / folder) is None


def test_credential_is_looked_for_where_the_unit_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plex.token").write_text("from the unit")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    assert read_credential("plex.token") == "from the unit"


def test_credential_of_odd_bytes_is_read_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "plex.token").write_bytes(b"ab\xff")

    assert read_credential("plex.token", tmp_path) == "ab\N{REPLACEMENT CHARACTER}"


def test_credential_that_may_not_be_read_says_so() -> None:
    class Closed(type(Path())):  # type: ignore[misc]  # root may read everything, so the refusal is acted
        def read_text(self, *_: object, **__: object) -> str:
            raise PermissionError(13, "Permission denied")

    with pytest.raises(NoPermission, match=r"Failed to read credential plex.token: Permission denied"):
        read_credential("plex.token", Closed("/somewhere"))


@given(
    st.lists(
        st.sampled_from(
            [
                "X-Plex-Token",
                "pa\u017f\u017fword",
                "PASSWORD",
                "acce\u017fs_to\u212aen",
                "to\u212aen",
                "=",
                ":",
                "abc123",
                " ",
                "%3D",
                "\u0130",
            ]
        ),
        max_size=8,
    )
)
def test_texts_that_are_spared_the_search_have_nothing_to_find(parts: list[str]) -> None:
    text = "".join(parts)
    assert mask(text) == secret._NAMED_TOKEN.sub(rf"\g<name>\g<join>{secret.MASK}", text)
