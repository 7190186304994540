"""The front door: it answers callers and guards Plex."""

import ipaddress
from collections.abc import Iterable

from plexguard.core.endpoints import Endpoint
from plexguard.proxy import answers
from plexguard.proxy.config import Config
from plexguard.proxy.kinds import ACTING_WORDS, DISGUISE, KINDS, METADATA, PICTURE, REPEATABLE, STREAM, configured_patterns
from plexguard.proxy.render.backends import AGAIN, BEGAN, MAY_REPEAT, UPLOAD, ways_to_plex
from plexguard.proxy.render.common import BODIES, FORMS, MAIN, SERVERS, SOCKET, TYPES, Places, begin, is_loopback
from plexguard.proxy.render.errors import own_answers
from plexguard.proxy.render.log import log_requests

# Whether the process that keeps pictures answers.
_KEEPER = "picture-away/pictures"
_NUL = r"\x00"


def render_front(config: Config, url: str, places: Places) -> dict[str, str]:
    """Return the files of the front door, by name. url: Plex's."""
    return {
        MAIN: "\n".join(
            [
                *begin(places, f"{places.run}/{SOCKET}", servers=f"{places.run}/{SERVERS}"),
                *_front(config, places),
                *ways_to_plex(config, url, places),
            ]
        ),
        FORMS: answers.render_map(answers.FORMS),
        TYPES: answers.render_map(answers.CONTENT_TYPES),
        BODIES[503]: answers.render_map(answers.map_entries(503, answers.FAILED)),
        BODIES[504]: answers.render_map(answers.map_entries(504, answers.TIMED_OUT)),
    }


def _front(config: Config, places: Places) -> list[str]:
    return [
        *_metrics(config.metrics_listen),
        "frontend plexguard",
        *_binds(config.listen),
        "    log global",
        *log_requests(config),
        *_doubts(),
        *own_answers(places),
        "    http-request set-header X-Forwarded-For %[src]",
        # The other names under which a caller could say that he is somebody else.
        "    http-request del-header X-Real-IP",
        "    http-request del-header Forwarded",
        f"    http-request set-header {BEGAN} %[var(txn.t0)]",
        *_kinds(config),
        "",
    ]


def _binds(listen: Iterable[Endpoint]) -> list[str]:
    """An address that the machine does not have yet, as at boot, is listened at already: it must not keep the others shut."""
    return [f"    bind {endpoint}" + ("" if _is_always_there(endpoint.address) else " transparent") for endpoint in listen]


def _is_always_there(address: str) -> bool:
    return is_loopback(address) or ipaddress.ip_address(address).is_unspecified


def _metrics(listen: Iterable[Endpoint]) -> list[str]:
    binds = _binds(listen)
    if not binds:
        return []
    ask = "    http-request use-service prometheus-exporter if { path /metrics }"
    rules = ["    timeout client 10s", "    maxconn 100", ask, "    http-request return status 404"]
    return ["frontend metrics", *binds, *rules, ""]


def _doubts() -> list[str]:
    """What two servers may read in two ways does not reach Plex, or is the last that its connection says."""
    return [
        "    acl chunked req.hdr(transfer-encoding) -m found",
        "    acl websocket req.hdr(upgrade) -i websocket",
        # Where a chunk ends is read in many ways, and a tunnel may be refused: what comes after would be another request.
        "    http-request set-var(txn.last) bool(true) if chunked or websocket or METH_CONNECT",
        "    http-after-response set-header Connection close if { var(txn.last) -m found } !{ status 101 }",
        "    http-request deny deny_status 405 if METH_CONNECT",
        "    http-request deny deny_status 400 unless HTTP_1.1 or HTTP_1.0",
        # It knows no chunks, and takes the body for a request.
        "    http-request deny deny_status 400 if HTTP_1.0 chunked",
        f"    http-request deny deny_status 400 if {{ req.hdrs -m reg {_quote(_NUL)} }}",
        # Programs ask for HTTP/2 by habit, and Plex has none.
        "    http-request del-header Upgrade unless websocket",
        "    http-request del-header HTTP2-Settings unless websocket",
    ]


def _kinds(config: Config) -> list[str]:
    """Send each request to the backend of its kind: what is configured first, then what is known, then all else."""
    own = {name: patterns for name, patterns in configured_patterns(config.path).items() if patterns}
    known = [kind for kind in KINDS if kind.patterns]
    return [
        *(f"    acl own_{name} path_reg -- {_join(patterns)}" for name, patterns in own.items()),
        *(f"    acl {kind.name} path_reg -- {_join(kind.patterns)}" for kind in known),
        f"    acl repeatable path_reg -- {_join(REPEATABLE)}",
        # Word by word, and not by one expression over all of the path: that would be the dearest thing of a request.
        f"    acl acting path,lower,word(-1,/) -m str {' '.join(ACTING_WORDS)}",
        f"    acl acting path,lower,word(-2,/) -m str {' '.join(ACTING_WORDS)}",
        f"    acl acting path_reg -i -- {_quote(DISGUISE)}",
        # HAProxy's METH_GET is HEAD too.
        f"    http-request set-var({AGAIN}) bool(true) if METH_GET repeatable !acting !{{ req.body_size gt 0 }}",
        f"    http-request disable-l7-retry unless {MAY_REPEAT}",
        f"    use_backend {UPLOAD} if !{MAY_REPEAT} {{ req.body_size gt 0 }}",
        *(f"    use_backend {name} if own_{name}" for name in own),
        f"    use_backend {STREAM.name} if websocket",
        # One look instead of one for each kind, for most of what is asked.
        f"    use_backend {METADATA.name} if !{{ path_reg -- {_join(pattern for kind in known for pattern in kind.patterns)} }}",
        f"    use_backend picture-away if {PICTURE.name} !here",
        # Nobody waits for a keeper that is stuck, or tries one that is gone.
        f"    use_backend {METADATA.name} if {PICTURE.name} !{{ srv_is_up({_KEEPER}) }}",
        *(f"    use_backend {kind.name} if {kind.name}" for kind in known),
    ]


def _join(patterns: Iterable[str]) -> str:
    return _quote("|".join(f"({pattern})" for pattern in patterns))


def _quote(text: str) -> str:
    """Return a text as one word of HAProxy's configuration."""
    return "'" + text + "'"
