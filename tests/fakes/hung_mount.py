"""Mount a FUSE file system that never answers: whoever looks into it hangs until this program ends. `hung_mount.py FOLDER`.

The kernel is greeted, so that requests are taken, and no request after that is ever served.
"""

import ctypes
import os
import signal
import struct
import sys

_INIT = 26  # FUSE_INIT of <linux/fuse.h>
_HEADER = struct.Struct("<IIQQIIII")


def main(folder: str) -> None:
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"hung", folder.encode(), b"fuse.rclone", 0, options) != 0:
        sys.exit(f"Failed to mount {folder}: {os.strerror(ctypes.get_errno())}")
    request = os.read(device, 1 << 17)
    _, operation, unique, *_ = _HEADER.unpack_from(request)
    assert operation == _INIT
    # Protocol 7.31 with no features: 64 bytes of answer behind a header of 16.
    answer = struct.pack("<IIIIHHIIHHII", 7, 31, 4096, 0, 12, 10, 4096, 1, 1, 0, 0, 0).ljust(64, b"\0")
    os.write(device, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)
    print("mounted", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1])
