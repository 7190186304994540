"""The process that keeps pictures. See the package for why it is one of its own."""

from datetime import timedelta

from plexguard.proxy.config import Config
from plexguard.proxy.render.common import AWAY_SOCKET, KEY, MAIN, PRESENT_SOCKET, SOCKET, Places, address_of, begin, ms

_MAX_PICTURE_BYTES = 2 * 1024 * 1024
_REFUSED = "plexguard-refused"
_IS_REFUSED = f"{{ res.hdr({_REFUSED}) -m found }}"
_IS_STORED = "{ var(txn.store) -m found }"


def render_pictures(config: Config, url: str, places: Places) -> dict[str, str]:
    """Return the files of the process that keeps pictures, by name."""
    return {MAIN: "\n".join([*begin(places, f"{places.pictures}/{SOCKET}"), *_pictures(config, url, places)])}


def _pictures(config: Config, url: str, places: Places) -> list[str]:
    """HAProxy serves from its cache whatever Plex would say by now, and stores only what it has looked for. So while Plex is
    there it looks in a cache in which nothing ever is, and stores in the other one; while Plex is away it looks in that."""
    age_s = round(config.cache_age.total_seconds())
    return [
        "cache nothing",
        "    total-max-size 1",
        "cache pictures",
        f"    total-max-size {config.cache_size // (1024 * 1024)}",
        f"    max-object-size {min(_MAX_PICTURE_BYTES, config.cache_size // 2)}",
        f"    max-age {age_s}",
        "",
        "frontend pictures",
        f"    bind unix@{places.pictures}/{PRESENT_SOCKET} mode 600 name present",
        f"    bind unix@{places.pictures}/{AWAY_SOCKET} mode 600 name away",
        "    acl away so_name -m str away",
        *_look(),
        *_choose(),
        *_store(age_s),
        *_answer_from_cache(),
        "    use_backend nothing if away",
        "    default_backend plex",
        "",
        # The front door has an answer in the caller's language.
        "backend nothing",
        "    http-request return status 503",
        "",
        "backend plex",
        # The front door's limit is shorter, and it answers.
        f"    timeout server {ms(config.metadata_limit + timedelta(seconds=5))}",
        "    retries 0",
        f"    server plex {address_of(url)}",
        "",
    ]


def _look() -> list[str]:
    """Look for a picture under the key of who asks, in the cache that the time is for."""
    return [
        # The key of an entry is the Host header, the path and the query.
        "    http-request set-var(txn.host) req.hdr(host)",
        f"    http-request set-header Host %[req.hdr({KEY})]",
        # A reload in a browser asks for no cache at all, and would get no picture.
        "    http-request set-var(txn.control) req.fhdr(cache-control)",
        "    http-request del-header Cache-Control",
        "    http-request del-header Pragma",
        # The front door's check.
        "    http-request return status 204 if away { path / }",
        "    http-request cache-use pictures if away",
        "    http-request cache-use nothing",
        "    http-request set-header Host %[var(txn.host)]",
        "    http-request set-header Cache-Control %[var(txn.control)] if { var(txn.control) -m found }",
        f"    http-request del-header {KEY}",
    ]


def _choose() -> list[str]:
    """Say which answers are stored."""
    return [
        # What is coded, or gives a cookie, is no mere picture.
        "    acl coded res.hdr(content-encoding) -m found",
        "    acl coded res.hdr(set-cookie) -m found",
        "    http-response set-var(txn.store) bool(true) if { status 200 } { res.hdr(content-type) -m beg image/ } !coded",
        # A caller whom Plex refuses by now has lost his picture: the refusal takes its place, as HAProxy forgets nothing by itself.
        f"    http-response set-header {_REFUSED} %[status] if {{ status 401 403 404 }}",
        f"    http-response set-var(txn.store) bool(true) if {_IS_REFUSED}",
        f"    http-response set-status 200 if {_IS_REFUSED}",
    ]


def _store(age_s: int) -> list[str]:
    """Store what is chosen, for that long, and give the caller what Plex said."""
    return [
        # What the caller is told of keeping it is Plex's word, except for the copy that is stored.
        "    http-response set-var(txn.kept) res.fhdr(cache-control)",
        "    http-response set-var(txn.vary) res.fhdr(vary)",
        # Public: else no refusal would be stored, nor what was asked for with an Authorization, which the key holds.
        f'    http-response set-header Cache-Control "public, max-age={age_s}" if {_IS_STORED}',
        f"    http-response del-header Vary if {_IS_STORED}",
        f"    http-response cache-store pictures if {_IS_STORED}",
        "    http-after-response del-header Cache-Control",
        "    http-after-response set-header Cache-Control %[var(txn.kept)] if { var(txn.kept) -m found }",
        "    http-after-response set-header Vary %[var(txn.vary)] if { var(txn.vary) -m found }",
    ]


def _answer_from_cache() -> list[str]:
    """Give a stored refusal its status back, and say what comes from the cache while Plex is away."""
    return [
        *(
            f"    http-after-response set-status {status} if {{ res.hdr({_REFUSED}) -m str {status} }} !away"
            for status in ("401", "403", "404")
        ),
        f"    http-after-response set-status 503 if {_IS_REFUSED} away",
        f"    http-after-response del-header {_REFUSED} if {_IS_REFUSED}",
        '    http-after-response set-header Cache-Control "private, max-age=60" if away',
        "    http-after-response set-header Plexguard-Cache hit if away { status 200 304 }",
    ]
