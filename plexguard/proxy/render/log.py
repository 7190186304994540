"""What is logged of requests."""

from plexguard.proxy.config import Config
from plexguard.proxy.kinds import MEDIA, STREAM, Kind, span_us
from plexguard.proxy.render.common import BREAKER

# Above so many requests a second what went well is not logged at all, and of what did not a sample.
_BUSY_PER_S = 50
_BUSY = f"    acl busy fe_req_rate(plexguard) gt {_BUSY_PER_S}"


def log_requests(config: Config) -> list[str]:
    """What went well is logged by sample; what did not, or was slow, or had to be repeated, each time, unless there is too much
    of it. No query is logged, and from paths what looks like a token is cut: that is where tokens travel."""
    # A request in the form that is for proxies has a scheme, a host, and maybe a password before its path.
    unhosted = 'regsub(\\"^[a-z]+://[^/]*\\",\\"\\",i)'
    scrubbed = 'regsub(\\"(?i)(token[a-z]*(=|%(25)*3d))[^/&]*\\",\\"\\\\\\\\1***\\",g)'
    fields = [
        f'client=%ci:%cp \\"%HM %[capture.req.uri,field(1,?),{unhosted},{scrubbed}] %HV\\" %ST',
        "kind=%b",
        "duration_ms=%Ta",
        "first_byte_ms=%Tr",
        "bytes=%B",
        "repeats=%rc",
        "outcome=%tsc",
        "cache=%[var(txn.cache,-)]",
        "breaker=%[var(txn.breaker,closed)]",
        "server=%b/%s",
    ]
    return [
        f'    log-format "{" ".join(fields)}"',
        _BUSY,
        _sampled(config),
        f"    acl here srv_is_up({BREAKER})",
        "    http-request set-var(txn.t0) date(0,us)",
        "    http-request set-var(txn.breaker) str(open) if !here",
        "    http-request set-log-level silent if !here !sampled or busy !sampled",
    ]


def _sampled(config: Config) -> str:
    """One of so many, by the microsecond in which a request came: whoever asks twice about one request is told the same."""
    return f"    acl sampled var(txn.t0),mod({config.log_sample}) eq 0"


def log_of_answers(kind: Kind, config: Config) -> list[str]:
    """What of a kind is logged, when there is not so much of it that the front end has decided before."""
    if kind is STREAM:
        return []
    if kind is MEDIA:
        # All of it, as few as they are. What Plex may not read it calls missing.
        return [f"    acl busy be_sess_rate gt {_BUSY_PER_S}", "    http-response set-log-level info if { status 403 404 } !busy"]
    return [
        _BUSY,
        _sampled(config),
        f"    acl slow date(0,us),sub(txn.t0) gt {span_us(config.slow)}",
        # HAProxy 2.6 has no question for how often a request was made, but a word for logs.
        '    http-response set-var-fmt(txn.repeats) "%rc" if !busy',
        "    http-response set-log-level silent if !sampled !slow !{ status ge 500 } { var(txn.repeats) -m str 0 }",
    ]
