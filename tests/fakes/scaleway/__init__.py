"""A fake of Scaleway's API for tests: instances, block volumes, IPs, images, prices and SSH keys, as SCALEWAY.md tells of them.

In a test:

    with FakeScaleway() as cloud:                       # real time, steps as long as recorded; Timing.none() for no waiting at all
        client = Client(cloud.url, token=SECRET_KEY, project=PROJECT)
    with FakeScaleway(clock=FakeClock()) as cloud:      # time is what clock.now() says, and what cloud.pass_time(seconds) adds to it
        cloud.set(stuck=("starting",), mishaps=(Mishap(kind="error-after", method="POST", path="/servers$", times=1),))
        assert cloud.left() == [] and cloud.spent_eur() < 0.5

The handles: `set`/`heal` change the faults (faults.py lists them), `pass_time` moves time, `power_off_guest` is `poweroff` typed
in the guest, `requests` is all that was asked, with what became of it, `left()` what still exists, `meter()` and `spent_eur()`
what it costs. What is kept (`state`, a folder) is there again for the next FakeScaleway of that folder, as after a restart;
faults are not. One that was left can be entered again and has the same port; meanwhile connections are refused.

before(n), after(n): called with the number of each request, from 1, before and after it takes effect. One that raises (Dropped,
or anything, with a traceback) drops the connection: in `before` nothing was done, in `after` all was done and nobody was told;
one that returns lets the request go on, even if its client has been killed. To kill a client at an exact call without
sharing a process with it, `set(hold_before=n)` or `set(hold_after=n)`, wait for `cloud.held`, kill, and `heal()`: a request
whose client has gone while it was held before takes no effect.

poweron, poweroff, reboot, terminate: callables with a Machine that really boot and end one. They run in a thread of their own,
and a server leaves its transient state when its time is over and they have returned; poweron returns the address. After a
restart they are called again for whatever was under way, so they have to bear that. poweron also comes for a machine in standby.

As a program, from the folder this one is in (it needs nothing but Python):

    python3 -m scaleway --port 8080 --state DIR [--address A] [--scale 0.1] [--hook COMMAND]

COMMAND is run as `COMMAND poweron|poweroff|reboot|terminate ID` with the Machine as JSON on its input (user data in base64),
and for poweron writes the address. remote.py has the same handles over HTTP for a program that runs elsewhere.

Where the facts know nothing (a refused label, the body of out_of_stock, a terminate of a stopped server), the fake is the stricter:
what works here is what is known to work there.
"""

from .catalogue import ORGANIZATION, PROJECT, SECRET_KEY
from .cloud import FakeScaleway
from .faults import FaultError, Faults, Mishap
from .machines import Machine
from .messages import Dropped
from .records import Timing

__all__ = [
    "ORGANIZATION",
    "PROJECT",
    "SECRET_KEY",
    "Dropped",
    "FakeScaleway",
    "FaultError",
    "Faults",
    "Machine",
    "Mishap",
    "Timing",
]
