"""The ways from the front door to Plex, one for each kind of request, and the hops that limit what is asked again."""

from plexguard.proxy.config import Config
from plexguard.proxy.kinds import KINDS, MEDIA, METADATA, PICTURE, STREAM, TRANSCODE, Kind, span_us
from plexguard.proxy.render.common import AWAY_SOCKET, BREAKER, KEY, PRESENT_SOCKET, Places, address_of, limit_of, ms
from plexguard.proxy.render.errors import answer, error_answers
from plexguard.proxy.render.log import log_of_answers

# The server by which go requests that are made once.
ONCE = "once"
# The backend of requests that have a body: it may be the caller who does not end them, and that is no failure of Plex's.
UPLOAD = "upload"
_FOLLOWS = f"track {BREAKER}"
BEGAN = "x-plexguard-began"
AGAIN = "txn.again"
MAY_REPEAT = f"{{ var({AGAIN}) -m found }}"
_RETRIES = 2
_LIMITED = tuple(kind for kind in KINDS if kind.limit)


def ways_to_plex(config: Config, url: str, places: Places) -> list[str]:
    """Return the ways to Plex, one for each kind of request, and those that stand between."""
    return [
        *_backend(METADATA, config, places, [*_check(config), *_servers(METADATA, config, url, places, _watched(config))]),
        *_backend(MEDIA, config, places, _servers(MEDIA, config, url, places, _FOLLOWS)),
        *_backend(TRANSCODE, config, places, _servers(TRANSCODE, config, url, places, _FOLLOWS)),
        *_backend(STREAM, config, places, [f"    server plex {address_of(url)} {_FOLLOWS}"]),
        *_backend(PICTURE, config, places, [*_picture_key(), *_picture_servers(places)]),
        f"backend {UPLOAD}",
        f"    timeout server {ms(2 * limit_of(METADATA, config))}",
        "    retries 0",
        *log_of_answers(METADATA, config),
        _shut(places),
        f"    server {ONCE} {_socket(ONCE, METADATA, places)} {_FOLLOWS}",
        "",
        *_last_attempts(config, url, places),
        *_single_attempts(config, url, places),
        *_picture_away(places),
    ]


def _backend(kind: Kind, config: Config, places: Places, servers: list[str]) -> list[str]:
    reasons = "conn-failure empty-response 502 503 504" + (" response-timeout" if kind.repeats_timeouts else "")
    return [
        f"backend {kind.name}",
        f"    timeout server {ms(limit_of(kind, config))}",
        f"    retries {_RETRIES}",
        f"    retry-on {reasons}",
        # The third attempt is made by another server than the two before it.
        "    option redispatch -1",
        *log_of_answers(kind, config),
        _shut(places),
        *servers,
        "",
    ]


def _shut(places: Places) -> str:
    return f"    http-request return status 503 {answer(places, 503)} unless {{ srv_is_up({BREAKER}) }}"


def _last_attempts(config: Config, url: str, places: Places) -> list[str]:
    """What stands between the third attempt and Plex: it comes through only before one limit has passed since the request came.
    So all attempts together take twice the limit at most, and what ran out of time is repeated once."""
    late = [f"{{ so_name {kind.name} }} {{ var(txn.took) -m int ge {span_us(limit_of(kind, config))} }}" for kind in _LIMITED]
    return [
        *_hop("last", places),
        f"    http-request set-var(txn.t0) req.hdr({BEGAN})",
        "    http-request set-var(txn.took) date(0,us),sub(txn.t0)",
        *(f"    http-request return status 504 {answer(places, 504)} if {condition}" for condition in late),
        "",
        *_beyond("last", config, url, retries=0),
    ]


def _single_attempts(config: Config, url: str, places: Places) -> list[str]:
    """What stands between Plex and a request that is made once: the caller may have asked before on his connection, and then
    HAProxy says nothing at all when the server does not, so that he asks again. This hop is a new connection each time, and what
    it answers is an answer."""
    return [*_hop(ONCE, places), "", *_beyond(ONCE, config, url, retries=_RETRIES)]


def _hop(name: str, places: Places) -> list[str]:
    return [
        f"frontend {name}",
        *(f"    bind {_socket(name, kind, places)} mode 600 name {kind.name}" for kind in _LIMITED),
        "    option httpclose",
        "    http-request set-var(txn.accept) req.fhdr(accept),lower",
        *error_answers(places),
        _shut(places),
        f"    default_backend {name}",
    ]


def _beyond(name: str, config: Config, url: str, *, retries: int) -> list[str]:
    return [
        f"backend {name}",
        *(f"    http-request set-timeout server {ms(limit_of(kind, config))} if {{ so_name {kind.name} }}" for kind in _LIMITED),
        f"    timeout server {ms(max(limit_of(kind, config) for kind in _LIMITED))}",
        f"    retries {retries}",
        f"    server plex {address_of(url)} {_FOLLOWS}",
        "",
    ]


def _check(config: Config) -> list[str]:
    """What HAProxy asks by itself while the breaker's own checks do not run: it has no token, and so no deeper question."""
    return [
        # The state of the servers is told here alone: the others follow, each with lines of its own.
        "    log global",
        "    option httpchk",
        "    http-check send meth GET uri /identity ver HTTP/1.1 hdr Host localhost",
        "    http-check expect status 200-499",
        f"    timeout check {ms(config.check_limit)}",
    ]


def _watched(config: Config) -> str:
    checks = f"check inter 2s fastinter 1s fall {config.open_after_checks} rise {config.close_after}"
    return f"{checks} observe layer7 error-limit {config.open_after} on-error mark-down"


def _servers(kind: Kind, config: Config, url: str, places: Places, state: str) -> list[str]:
    return [
        # Behind the hop is the limit of an attempt; this is that of all attempts to connect.
        f"    http-request set-timeout server {ms(2 * limit_of(kind, config))} unless {MAY_REPEAT}",
        f"    use-server plex if {MAY_REPEAT}",
        f"    use-server {ONCE} if TRUE",
        f"    server plex {address_of(url)} {state}",
        # No weight: it takes what is sent to it, and no third attempt.
        f"    server {ONCE} {_socket(ONCE, kind, places)} {_FOLLOWS} weight 0",
        _last(kind, places),
    ]


def _last(kind: Kind, places: Places) -> str:
    """It is always there: a request that is to be made again when the gate has been shut would else get no answer at all from
    HAProxy 2.6. The hop looks at the gate itself."""
    return f"    server last {_socket('last', kind, places)}"


def _socket(hop: str, kind: Kind, places: Places) -> str:
    return f"unix@{places.run}/{hop}-{kind.name}.sock"


def _picture_servers(places: Places) -> list[str]:
    """By way of the process that keeps pictures; where that is gone, the last attempt is made without it."""
    return [
        "    use-server pictures if TRUE",
        "    http-response set-var(txn.cache) res.hdr(plexguard-cache)",
        f"    server pictures unix@{places.pictures}/{PRESENT_SOCKET} {_FOLLOWS}",
        _last(PICTURE, places),
    ]


def _picture_away(places: Places) -> list[str]:
    """The pictures that are kept, while Plex is away."""
    return [
        "backend picture-away",
        "    option httpchk",
        "    http-check send meth GET uri /",
        "    http-check expect status 204",
        "    timeout check 1s",
        "    timeout server 2s",
        "    retries 0",
        *_picture_key(),
        "    http-response set-var(txn.cache) res.hdr(plexguard-cache)",
        # A connection that ends without a word would end so for the caller too, if he has asked on his before.
        f"    http-response return status 503 {answer(places, 503)} if {{ status 503 }}",
        f"    server pictures unix@{places.pictures}/{AWAY_SOCKET} check inter 2s fastinter 1s fall 2 rise 1",
        "",
    ]


def _picture_key() -> list[str]:
    """Tell the pictures whose request it is: who has neither the same credentials nor the same address has another key, and
    gets nothing that he was not given by Plex before."""
    credentials = "%[src]|%[req.fhdr(x-plex-token)]|%[req.fhdr(authorization)]|%[req.fhdr(cookie)]|%[req.fhdr(origin)]"
    return [
        f'    http-request set-var-fmt(txn.key) "{credentials}"',
        f"    http-request set-header {KEY} %[var(txn.key),sha2(256),hex]",
    ]
