"""What another program of the suite has said, as a person reads it."""

from plexguard.cloud_run.reference.own import in_words


def test_words_of_a_command_come_without_what_is_for_the_journal():
    said = ["<6>copying", "", "<3>plexguard-db-export stopped: it lacks Films (try: count)", "  more of it"]

    assert in_words(said) == "copying / it lacks Films (try: count) /   more of it"
    assert in_words([]) == in_words(["", " "]) == ""


def test_words_are_the_last_ones_and_hold_no_secret():
    said = in_words(["1", "2", "3", "4", "X-Plex-Token=abcdefghijklmnopqrst"])

    assert said.startswith("3 / 4 / ") and "abcdefghijklmnopqrst" not in said
