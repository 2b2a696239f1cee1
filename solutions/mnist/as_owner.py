"""Becomes the command that follows, as the owner of the folder and not as root.

A folder that is mounted from the host belongs to somebody there. Started as root (as `docker run` does), this becomes an
ordinary user if that one may write to the folder, else the folder's owner: so the checkpoint can be written,
and whoever owns the folder owns the checkpoint. Started as anybody else (`docker run --user`), it changes nothing.
"""

import os
import sys

NOBODY_SPECIAL = 1000


def writable_by_all(info):
    return info.st_mode & 0o003 == 0o003


if __name__ == "__main__":
    if os.getuid() == 0:
        folder = os.stat(".")
        uid, gid = folder.st_uid, folder.st_gid
        if uid == 0 and writable_by_all(folder):
            uid = gid = NOBODY_SPECIAL
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
        os.environ["HOME"] = "/tmp"
    if len(sys.argv) < 2:
        sys.exit("What shall I run? For example: python /workspace/train.py")
    try:
        os.execvp(sys.argv[1], sys.argv[1:])
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error.strerror}")
