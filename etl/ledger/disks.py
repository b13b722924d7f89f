"""Which disk a file is on, and whether a ledger may be there.

A ledger stands on two promises of its disk: what was synced is there after a power cut, and a lock or a mapped page is
seen by everybody at once. File systems of a network keep neither reliably (https://www.sqlite.org/useovernet.html).
It must never write anything.
"""

import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from etl.errors import LedgerError

_MOUNTS: Final = Path("/proc/self/mountinfo")
_NETWORK: Final = re.compile(
    r"nfs[34]?|cifs|smb[23]?|smbfs|ncpfs|k?afs|auristorfs|ceph|lustre|glusterfs|beegfs|gpfs|orangefs|pvfs2|ocfs2|gfs2|"
    r"coda|davfs|vboxsf|prl_fs|vmhgfs"
)
_NETWORK_FUSE: Final = re.compile(
    r"fuse\.(sshfs|s3fs|rclone|gcsfuse|goofys|geesefs|blobfuse2?|mount-s3|mountpoint-s3|juicefs|ceph|ceph-fuse|glusterfs|"
    r"moosefs|mfs.*|seaweedfs|davfs2?|smbnetfs|curlftpfs|lizardfs|vmhgfs-fuse|onedriver|google-drive.*)"
)
# Plan 9's protocol is spoken by sandboxes on one machine as well (gVisor), where all is well; not so to a host.
_NETWORK_9P: Final = re.compile(r"\b(trans=(tcp|virtio|rdma|xen|hyperv)|aname=drvfs)\b")


class UnfitError(LedgerError):
    """A ledger cannot be kept in this file; the hint says what would do."""


class Mount(NamedTuple):
    """Where a file system begins, and which one it is."""

    point: str
    type: str
    options: str

    @property
    def is_network(self) -> bool:
        if self.type == "9p":
            return _NETWORK_9P.search(self.options) is not None
        return any(pattern.fullmatch(self.type) for pattern in (_NETWORK, _NETWORK_FUSE))


def mount_of(folder: Path, mounts: Path = _MOUNTS) -> Mount | None:
    """The file system of a folder that is there; None on a system that does not tell (it is Linux's to tell)."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    real = folder.resolve()
    # What was mounted later hides what was mounted there before.
    found = None
    for mount in map(_mount, lines):
        if real.is_relative_to(mount.point) and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def refuse_unfit(file: Path, mounts: Path = _MOUNTS) -> None:
    """Raise UnfitError for a ledger that would be on a network file system, or that belongs to somebody else."""
    mount = mount_of(file.parent, mounts)
    if mount is not None and mount.is_network:
        raise UnfitError(
            f"The ledger {file} would be on a network file system ({mount.type} at {mount.point}), which can lose what "
            "was written or let two processes write at once.",
            "Give a file on a disk of this machine with --ledger, or a PostgreSQL database if it is to be shared.",
        )
    for status in (file.lstat(), file.stat()) if os.path.lexists(file) else ():
        if status.st_uid != os.geteuid():
            raise UnfitError(
                f"The ledger {file} belongs to another user (number {status.st_uid}).",
                "Work as that user, or give a file of your own with --ledger.",
            )


def _mount(line: str) -> Mount:
    """A line of proc_pid_mountinfo(5): `36 35 98:0 /root /point options optional… - type source super-options`."""
    before, _, after = line.partition(" - ")
    type_, _, rest = after.partition(" ")
    point = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split(" ")[4])
    return Mount(point, type_, rest)
