"""Whether a library loses more than a scan may take from it: then the scan errs, and it is not the library that shrank. Pure."""

from plexguard.cloud_run.server.counting import Counted

# Of a library of so few a single film that was removed is more than any share.
_FEW = 20


def find_loss(before: Counted, now: Counted, *, most_percent: int) -> str:
    """Return what a library has lost, in words, "" while that is no more than a share of it. What is in the trash is lost."""
    lost = before.items - now.items
    if lost <= 0 or (before.items < _FEW and now.items > 0) or 100 * lost <= most_percent * before.items:
        return ""
    share = 100 * lost / before.items
    return f"{now.title}: {lost:,} of {before.items:,} items are gone ({share:.1f} %), {now.trashed:,} in the trash"
