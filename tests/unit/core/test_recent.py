from plexguard.core.recent import Recent


def test_what_was_remembered_longest_ago_makes_room() -> None:
    recent: Recent[str, int] = Recent(2)
    for number, key in enumerate("abc"):
        recent.remember(key, number)

    assert [recent.find(key) for key in "abc"] == [None, 1, 2]
    assert ("a" in recent, "b" in recent, len(recent)) == (False, True, 2)


def test_what_is_remembered_again_is_new_again_and_has_the_new_value() -> None:
    recent: Recent[str, int] = Recent(2)
    for number, key in enumerate("abac"):
        recent.remember(key, number)

    assert [recent.find(key) for key in "abc"] == [2, None, 3]


def test_what_is_looked_at_does_not_become_newer() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.remember("a", 0)
    recent.remember("b", 1)
    recent.find("a")
    recent.remember("c", 2)

    assert recent.find("a") is None


def test_nothing_is_left_of_what_was_cleared() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.remember("a", 0)
    recent.clear()

    assert (len(recent), "a" in recent, recent.find("a")) == (0, False, None)
