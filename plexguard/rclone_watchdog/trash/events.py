"""What can be told of Plex's trash."""

from plexguard.core.events import Event, FilePath, Priority

_PAGE = "plexguard-rclone-watchdog(8)"
_LIBRARY = {"library": str, "title": str}

EMPTIED = Event(
    name="trash.emptied",
    message_id="2107c2eed63145d2834540d05bdf9ee9",
    priority=Priority.NOTICE,
    message="The trash of {title} was emptied: Plex has forgotten {count} items whose files are gone: {items} (all in {list})",
    subject="The trash of a library of Plex was emptied",
    page=_PAGE,
    fields={**_LIBRARY, "count": int, "left": int, "items": str, "list": FilePath},
    about=("library",),
    ends=("trash.kept",),
    meaning="""
        Plex has forgotten {count} items of {title}, with their dates, posters and edits: {items}. It has {left} left.
        """,
    decided="""
        Two looks with some time between, and a third one right before, found the same items missing, no more of them than
        trash_items and trash_percent allow, each of their files away, every mount of the library proven anew, none of its folders
        empty, no scan at work, and Plex not held for a mount.
        """,
    did="""
        What was missing was written down in {list}, with each file. Then Plex was told to empty the trash of this one library, and
        asked until nothing was missing any more.
        """,
    action="""
        See what was forgotten, now and before:
          plexguard-rclone-watchdog trash --history
        A file that comes back is a new item to Plex at its next scan.
        """,
)

KEPT = Event(
    name="trash.kept",
    message_id="885f3581d3494a269599973b7fa5d5e5",
    priority=Priority.WARNING,
    message="The trash of {title} is kept: {reason} ({counted}: {items})",
    subject="The trash of a library of Plex is kept",
    page=_PAGE,
    fields={**_LIBRARY, "reason": str, "counted": str, "items": str},
    about=("library",),
    meaning="""
        Items of {title} are missing, {counted}, and it is not certain that they are gone for good: {reason}. They are: {items}.
        """,
    decided="""
        Before anything is forgotten every mount of a library has to be proven, its folders have to hold something, each missing
        file has to be away for certain, and Plex must not be held, at work on it, or without an answer. What cannot be told speaks
        against it.
        """,
    did="""
        Nothing. Plex goes on showing these items as unavailable, and finds them again by a scan when their files are back. It is
        told again when the reason changes, or how much is missing.
        """,
    action="""
        See all that is missing, with its files, and what speaks against it now:
          plexguard-rclone-watchdog trash --dry-run
        If it is gone for good and only the number speaks against it, empty the trash of this library by hand in Plex, or raise
        trash_items in [rclone-watchdog]:
          editor /etc/plexguard/plexguard.toml
          systemctl start plexguard-trash.service
        """,
)

CLEARED = Event(
    name="trash.cleared",
    message_id="44e17688d4104d4d8c257596dc9d3475",
    priority=Priority.NOTICE,
    message="Nothing of {title} is missing any more",
    subject="Nothing of a library of Plex is missing any more",
    page=_PAGE,
    fields=_LIBRARY,
    about=("library",),
    ends=("trash.kept",),
    meaning="""
        What was missing from {title} was found again, or somebody emptied its trash by hand.
        """,
    decided="""
        Plex was asked how many items of it are in its trash: none.
        """,
    did="""
        Nothing had to be done.
        """,
    action="""
        Nothing needs to be done. If it happens every night, a mount goes away for a while: see its events.
          plexguard-status
        """,
)

UNLISTED = Event(
    name="trash.unlisted",
    message_id="06b0a5a58ccc4cf396ea9522c3bc8931",
    priority=Priority.WARNING,
    message="{gone} items of {title} are gone, where {count} were listed when its trash was emptied",
    subject="More is gone from a library of Plex than its trash held",
    page=_PAGE,
    fields={**_LIBRARY, "count": int, "gone": int, "list": FilePath},
    meaning="""
        When the trash of {title} was emptied {count} items were in it. Afterwards Plex has {gone} fewer than before.
        """,
    decided="""
        Plex was asked for the number of all items right before, and again when nothing was missing any more.
        """,
    did="""
        The {count} items are listed in {list}. Of the others nothing is known: somebody deleted them in Plex meanwhile, or a scan
        began in the very moment between the last look and the emptying.
        """,
    action="""
        Have Plex scan the library: what is there is found again. If it is not, restore the database of before:
          ls /var/lib/plexmediaserver/Library/*/*/*/Databases
        """,
)

TAKEN_OVER = Event(
    name="trash.taken-over",
    message_id="44199f0cb0284aa3a1b0ce90da0df03e",
    priority=Priority.NOTICE,
    message="Plex does not empty its trash after scans any more: plexguard does",
    subject="plexguard empties the trash in Plex's place",
    page=_PAGE,
    fields={},
    meaning="""
        Plex's setting "empty trash automatically after every scan" was on, and is off now. With it a scan of a mount that is away
        makes Plex forget all that was on it.
        """,
    decided="""
        [rclone-watchdog] has trash = true.
        """,
    did="""
        What the setting was is on disk, and the setting is off. It is put back when trash = true is taken away again.
        """,
    action="""
        Nothing needs to be done. To have Plex empty its trash itself again:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        """,
)

SWITCHED_ON = Event(
    name="trash.switched-on",
    message_id="b0f0418a2a3a4fdcab00dc213ff53a3f",
    priority=Priority.WARNING,
    message="Somebody had Plex empty its trash after scans again: that is switched off once more",
    subject="Plex's own emptying of its trash was switched on",
    page=_PAGE,
    fields={},
    meaning="""
        Plex's setting "empty trash automatically after every scan" was off, and somebody or something has switched it on. Until
        now a scan may have made Plex forget what it missed.
        """,
    decided="""
        [rclone-watchdog] has trash = true, the setting was seen to be off since, and is on.
        """,
    did="""
        It was switched off. What is on disk of before stays as it was.
        """,
    action="""
        If Plex is to empty its trash itself, take trash = true away; else see who has changed it:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        """,
)

GIVEN_BACK = Event(
    name="trash.given-back",
    message_id="4134a3339cd14cd0a189deb2bc5c7ec9",
    priority=Priority.NOTICE,
    message="Plex empties its trash after scans again, as it did before plexguard did",
    subject="Plex empties its trash itself again",
    page=_PAGE,
    fields={},
    meaning="""
        Plex's setting "empty trash automatically after every scan" is on again, as it was before plexguard switched it off.
        """,
    decided="""
        [rclone-watchdog] has trash = true no more, and what the setting was is on disk.
        """,
    did="""
        The setting was put back, read again, and what was on disk of it forgotten.
        """,
    action="""
        Nothing needs to be done. A scan of a mount that is away makes Plex forget all that was on it, as long as no mount of
        plexguard's protects it. What that is:
          plexguard-status
        """,
)
