# SPDX-License-Identifier: GPL-2.0-or-later
"""The machine: facts, caches, kernel memory, volumes to work on."""

import contextlib
import os
import platform
import subprocess
import time

QUEUE_LIMIT = "/proc/sys/fs/fanotify/max_queued_events"

VOLUMES = "/mnt"  # hidden below an own mount


def read(path):
    with open(path) as f:
        return f.read().strip()


def meminfo_kb(key):
    for line in read("/proc/meminfo").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def facts():
    cpu = "unknown processor"
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    release = platform.freedesktop_os_release()
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_mb": meminfo_kb("MemTotal") // 1024,
        "kernel": platform.release(),
        "system": release.get("PRETTY_NAME", "unknown"),
        "load": os.getloadavg()[0],
        "queue_limit": int(read(QUEUE_LIMIT)),
    }


def drop_caches(what=3):
    """1 pages, 2 inodes and dentries, 3 both."""
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write(str(what))


def pinned_mb():
    """Kernel memory that no shrinker can take back. Inodes are freed a grace
    period later, and only when their pages are gone."""
    drop_caches()
    before, now = None, meminfo_kb("Slab")
    while before is None or now < before:
        time.sleep(0.5)
        drop_caches()
        before, now = now, meminfo_kb("Slab")
    return now / 1024


@contextlib.contextmanager
def queue_limit(events):
    """fs.fanotify.max_queued_events, for groups opened meanwhile."""
    before = read(QUEUE_LIMIT)
    with open(QUEUE_LIMIT, "w") as f:
        f.write(str(events))
    try:
        yield
    finally:
        with open(QUEUE_LIMIT, "w") as f:
            f.write(before)


def mount_ext4(image, at, size, inodes):
    with open(image, "wb") as f:
        f.truncate(size)
    # Everything initialised now: no kernel thread writes tables later.
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m0", "-N", str(inodes), "-E",
                    "lazy_itable_init=0,lazy_journal_init=0", image],
                   check=True)
    subprocess.run(["mount", "-o", "loop", image, at], check=True)


def cover_volumes():
    """Whatever the machine has there is not seen in this namespace."""
    subprocess.run(["mount", "-t", "tmpfs", "bench", VOLUMES], check=True)


@contextlib.contextmanager
def volume(kind, name=None, on=VOLUMES, size=3 << 30, inodes=600000):
    """A new file system, mounted in this mount namespace only; its image in
    memory, or in directory @on. Its path is short, as in life: lsyncd's hash
    of long ones makes it ten times slower."""
    at = os.path.join(VOLUMES, name or kind)
    image = os.path.join(on, (name or kind) + ".img")
    os.makedirs(at, exist_ok=True)
    if kind == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o",
                        f"size={size},nr_inodes={inodes}", "bench", at],
                       check=True)
    else:
        mount_ext4(image, at, size, inodes)
    try:
        yield at
    finally:
        subprocess.run(["umount", at], check=False)
        if os.path.exists(image):
            os.unlink(image)
