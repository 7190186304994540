"""What plexguard-speed-test can tell the journal."""

from plexguard.core.events import Event, Priority

_PAGE = "plexguard-speed-test(8)"
_SPEEDS = {"download_mbit_s": float, "upload_mbit_s": float}
_COMPARED = {**_SPEEDS, "usual_download_mbit_s": float, "usual_upload_mbit_s": float}

RESULT = Event(
    name="speed.result",
    message_id="72b07bc9dd834412a37da6c7583c546d",
    priority=Priority.INFO,
    message="Download {download_mbit_s:.1f} Mbit/s, upload {upload_mbit_s:.1f} Mbit/s, ping {ping_ms:.0f} ms ({server})",
    subject="A speed test was made",
    page=_PAGE,
    fields={**_SPEEDS, "ping_ms": float, "server": str},
    meaning="""
        The line was measured with {server}: {download_mbit_s} Mbit/s came in, {upload_mbit_s} Mbit/s went out, and an answer
        took {ping_ms} ms. No more tests are made on this day.
        """,
    action="""
        Nothing needs to be done. All results that are kept:
          plexguard-speed-test list
        """,
)

SLOW = Event(
    name="speed.slow",
    message_id="11e6394cb4b04968846bafcb43e3eb59",
    priority=Priority.WARNING,
    message="The line is slow ({slow}): download {download_mbit_s:.1f} Mbit/s, usually {usual_download_mbit_s:.1f}; "
    "upload {upload_mbit_s:.1f} Mbit/s, usually {usual_upload_mbit_s:.1f}",
    subject="The line is slower than usual",
    page=_PAGE,
    fields={**_COMPARED, "slow": str, "percent": int},
    meaning="""
        Less than {percent} per cent of what is usual was measured for: {slow}. Download: {download_mbit_s} Mbit/s, usually
        {usual_download_mbit_s}. Upload: {upload_mbit_s} Mbit/s, usually {usual_upload_mbit_s}. Usual is the median of the
        last 14 results. Whoever watches from elsewhere gets what the upload allows. It is told once, and once more when it
        is over.
        """,
    action="""
        See whether it was one night or goes on, and measure again when nobody uses the line:
          plexguard-speed-test list
          plexguard-speed-test
        If it goes on, look at cables, router and provider. Another share is told with slow_percent in [speed-test]:
          editor /etc/plexguard/plexguard.toml
        """,
)

RECOVERED = Event(
    name="speed.recovered",
    message_id="f5527d7f3c3249bdac05a6d574e7dd79",
    priority=Priority.NOTICE,
    message="The line is as fast as usual again after {slow_h:.0f} h: download {download_mbit_s:.1f} Mbit/s, "
    "upload {upload_mbit_s:.1f} Mbit/s",
    subject="The line is as fast as usual again",
    page=_PAGE,
    fields={**_COMPARED, "slow_h": float},
    ends=("speed.slow",),
    meaning="""
        Download and upload are within their share of the usual again: {download_mbit_s} Mbit/s, usually
        {usual_download_mbit_s}, and {upload_mbit_s} Mbit/s, usually {usual_upload_mbit_s}. It took {slow_h} hours since the
        first slow test. A line that stays slow becomes the usual one after some seven results, and this is told then too.
        """,
    action="""
        Nothing needs to be done. What was measured in between:
          plexguard-speed-test list
        """,
)

FAILED = Event(
    name="speed.failed",
    message_id="88b4fca3d048480bbcd61d772769cd22",
    priority=Priority.WARNING,
    message="No result of the speed test (attempt {attempt} of {limit} on {day}): {reason}",
    subject="A speed test gave no result",
    page=_PAGE,
    fields={"reason": str, "attempt": int, "limit": int, "day": str},
    meaning="""
        The command was started and gave no result that can be used: {reason}. It was attempt {attempt} of {limit} on {day}.
        At night the next one follows an hour later, as long as there are any; there is none by day. When speedtest.net
        refused the request (403, no matched servers) it was repeated once after 5 s already.
        """,
    action="""
        If it fails every night, see what the command itself says, as it is configured in [speed-test]:
          plexguard-speed-test list
          plexguard-speed-test
        """,
)

PUT_OFF = Event(
    name="speed.put-off",
    message_id="ecd4121f731f40a4a67f0e9ca5f518a1",
    priority=Priority.INFO,
    message="No speed test now: {reason}",
    subject="A speed test was put off",
    page=_PAGE,
    fields={"reason": str},
    meaning="""
        The test was not made: {reason}. It fills the line for half a minute, so it is made when nobody watches, no update is
        at work and there is a network; what cannot be told counts as being so. That is no attempt. At night it is looked
        at again an hour later, three times; the same reason is told once a day.
        """,
    action="""
        Nothing needs to be done, unless it happens every night. Then choose another time with at and time_zone in
        [speed-test], or see why it cannot be told who watches:
          editor /etc/plexguard/plexguard.toml
          plexguard-plex-probe
        """,
)

NO_COMMAND = Event(
    name="speed.no-command",
    message_id="11c4b93a6e034569807ec299ad5d947e",
    priority=Priority.WARNING,
    message="No speed test: {command} cannot be run: {reason} (apt-get install speedtest-cli)",
    subject="The command of the speed test is missing",
    page=_PAGE,
    fields={"command": str, "reason": str},
    meaning="""
        {command}, which makes the test, cannot be run: {reason}. Nothing was measured. It is told once, until there was a
        test.
        """,
    action="""
        Install it, or name another command in [speed-test], or turn the test off:
          apt-get install speedtest-cli
          editor /etc/plexguard/plexguard.toml
          systemctl disable --now plexguard-speed-test.timer
        """,
)
