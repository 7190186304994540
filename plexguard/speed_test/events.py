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
    ends=("speed.failed", "speed.no-command"),
    meaning="""
        The line was measured with {server}: {download_mbit_s} Mbit/s came in, {upload_mbit_s} Mbit/s went out, and an answer
        took {ping_ms} ms.
        """,
    decided="""
        The command of [speed-test] was run once, when nobody watched, no update was at work and there was a network.
        """,
    did="""
        The result was kept, and compared with the median of the last 14. The timer makes no more tests on this day.
        """,
    action="""
        All results that are kept:
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
        The line is slower than usual: {slow}. Download: {download_mbit_s} Mbit/s, usually {usual_download_mbit_s}. Upload:
        {upload_mbit_s} Mbit/s, usually {usual_upload_mbit_s}. Whoever watches from elsewhere gets what the upload allows.
        """,
    decided="""
        One test measured less than {percent} per cent (slow_percent) of what is usual. Usual is the median of the last 14
        results, and is known from the third on.
        """,
    did="""
        Nothing is changed. It is told once for download and for upload, and when both are over (speed.recovered).
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
        The line is as fast as usual again, {slow_h} hours after the first slow test. Download: {download_mbit_s} Mbit/s,
        usually {usual_download_mbit_s}. Upload: {upload_mbit_s} Mbit/s, usually {usual_upload_mbit_s}.
        """,
    decided="""
        One test found download and upload within their share of the usual. A line that stays slow becomes the usual one after
        some seven results, and this is told then too.
        """,
    did="""
        Nothing more. The next slow test is told again.
        """,
    action="""
        What was measured in between:
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
        A speed test gave no result: {reason}. It was attempt {attempt} of {limit} on {day}.
        """,
    decided="""
        The command was started, and it failed, did not end within timeout, or printed nothing that can be used.
        """,
    did="""
        The attempt was counted before it was made. When speedtest.net refused the request (403, no matched servers) it was
        repeated once after 5 s already. At night the next attempt follows an hour later, as long as there are any; there is
        none by day.
        """,
    action="""
        See what the command itself says, as it is configured in [speed-test]:
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
        The speed test was not made: {reason}.
        """,
    decided="""
        A test fills the line for half a minute, so it is made when nobody watches, no update is at work and there is a
        network; what cannot be told counts against it. It is also left out by day, and when the attempts of the day are
        spent.
        """,
    did="""
        That is no attempt. At night it is looked at again an hour later, three times; the same reason is told once a day.
        """,
    action="""
        If it happens every night, choose another time with at and time_zone in [speed-test], or see why it cannot be told who
        watches:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
          plexguard-plex-probe --explain
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
        The speed test is not made, since {command} cannot be run: {reason}.
        """,
    decided="""
        The command of [speed-test] was looked for, and is not there or cannot be started.
        """,
    did="""
        Nothing was measured. It is told once, until the command could be run.
        """,
    action="""
        Install it, or name another command in [speed-test], or turn the test off:
          apt-get install speedtest-cli
          editor /etc/plexguard/plexguard.toml
          systemctl disable --now plexguard-speed-test.timer
        """,
)
