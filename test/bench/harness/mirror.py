# SPDX-License-Identifier: GPL-2.0-or-later
"""P8, P12, P13 and the replica's half of P9: a mirror of a large tree."""

import contextlib
import os
import sqlite3
import time

from . import machine
from .daemon import Daemon
from .process import TICK_S, BenchError, measure, spent, timed
from .report import OURS

POLICY = """
[Target copy]
Transport=local
Path={target}
RequireMount=no

[Policy bench]
Plugin=mirror
Root=bench
Target=copy
Nice=0
"""
RSYNC = "rsync -a --delete"
FILES_PER_DIR, TOPS = 10, 50
RENAMED = 100000


class Mirror(Daemon):
    """The daemon with one policy; its worker is what is measured."""

    def __init__(self, ctx, target, **options):
        super().__init__(ctx, **options)
        self.target = target

    def config(self, root):
        return super().config(root) + POLICY.format(target=self.target)

    def finish(self):
        """Until every change made before is at the target."""
        answer = self.call(command="flush", timeout_ms=0, policy="bench")
        if answer.get("pending"):
            raise BenchError(f"pending: {answer}")
        return time.monotonic()

    def policy(self):
        return self.call(command="status")["policies"][0]

    def worker_cpu_s(self):
        with open(f"/proc/{self.policy()['pid']}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return sum(int(n) for n in fields[11:13]) * TICK_S

    def worker_mb(self):
        with open(f"/proc/{self.policy()['pid']}/status") as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
        return 0

    def replica(self, sql):
        path = os.path.join(self.state, "policy-bench.db")
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def timed(self, work):
        """Do @work; until it is mirrored: wall and CPU s, bytes copied."""
        cpu, bytes_ = self.worker_cpu_s(), self.policy()["bytes"]
        begin = time.monotonic()
        work()
        return {"s": self.finish() - begin,
                "CPU s": self.worker_cpu_s() - cpu,
                "bytes copied": self.policy()["bytes"] - bytes_}

    def full_pass(self):
        return self.timed(lambda: self.call(
            command="policy", policy="bench", do="reset"))


@contextlib.contextmanager
def pair(ctx, files, subdirs=None):
    """A source with @files or so, and a place for its copies."""
    names = files + files // FILES_PER_DIR
    size = (1 << 30) + names * 6144
    with machine.volume("ext4", name="source", on=ctx.work, size=size,
                        inodes=names + 200000) as source, \
            machine.volume("ext4", name="copies", on=ctx.work, size=2 * size,
                           inodes=2 * names + 400000) as copies:
        root = os.path.join(source, "r")
        os.mkdir(root)
        if subdirs is None:
            subdirs = max(1, files // FILES_PER_DIR // TOPS)
        made = measure(ctx.tool("bench_tree"), "-s", str(subdirs), root)
        yield root, copies, f"{made['files']:,} files"


def warm(ctx, *trees):
    for tree in trees:
        measure(ctx.tool("bench_walk"), "-t", "2", tree)


def passes(ctx, mirror, root, case, theirs):
    """A full pass of each over what has not changed."""
    if case.endswith("cold"):
        machine.drop_caches()
    else:
        warm(ctx, root, mirror.target)
    ctx.report.add("full pass", case, OURS, **mirror.full_pass())
    if case.endswith("cold"):
        machine.drop_caches()
    else:
        warm(ctx, root, theirs)
    ctx.report.add("full pass", case, RSYNC, **spent(
        "rsync", "-a", "--delete", root + "/", theirs + "/"))


def run_full_pass(ctx):
    files = ctx.subdirs * TOPS * FILES_PER_DIR
    with pair(ctx, files) as (root, copies, name):
        ours, theirs = (os.path.join(copies, n) for n in ("ours", "theirs"))
        os.mkdir(ours)
        timed("rsync", "-a", root + "/", theirs + "/")
        cases = [f"{name}, warm"] + [f"{name}, cold"] * ctx.cold
        with Mirror(ctx, ours) as mirror:
            mirror.start(root)
            names = mirror.replica("SELECT count(*) FROM name")[0][0]
            size = mirror.replica(
                "SELECT sum(pgsize) FROM dbstat WHERE name IN"
                " ('node', 'node_src', 'name', 'name_rid')")[0][0]
            ctx.report.add("size", "replica", OURS,
                           **{"bytes a name": size / names})
            for _ in range(ctx.reps):
                for case in cases:
                    passes(ctx, mirror, root, case, theirs)
    for case in cases:
        ctx.report.goal("P12", "full pass", case, "s", 3, factor_of=RSYNC)
        ctx.report.goal("P12", "full pass", case, "bytes copied", 0)
    ctx.report.goal("P9", "size", "replica", "bytes a name", 120)


def make_flat(at, files):
    os.mkdir(at)
    directory = os.open(at, os.O_RDONLY)
    for i in range(files):
        os.close(os.open(f"f{i:06}", os.O_CREAT | os.O_WRONLY, 0o644,
                         dir_fd=directory))
    os.close(directory)


def run_rename(ctx):
    files = RENAMED if ctx.subdirs >= 2000 else RENAMED // 10
    case = f"directory of {files:,} files"
    with pair(ctx, files, subdirs=1) as (root, copies, _):
        here, there = (os.path.join(root, n) for n in ("here", "there"))
        make_flat(here, files)
        with Mirror(ctx, copies) as mirror:
            mirror.start(root)
            for _ in range(ctx.reps):
                ctx.report.add("rename", case, OURS, **mirror.timed(
                    lambda: os.rename(here, there)))
                here, there = there, here
    ctx.report.goal("P8", "rename", case, "s", 1)
    ctx.report.goal("P8", "rename", case, "bytes copied", 0)


def change_some(root, n):
    """Rewrite @n files of the first directories."""
    for where, _, files in os.walk(root):
        for name in files:
            with open(os.path.join(where, name), "w") as f:
                f.write(f"changed {time.monotonic_ns()}\n" * 3)
            n -= 1
            if n == 0:
                return


def run_growth(ctx):
    """The same 1,000 changes in trees of different sizes."""
    sizes = (10000, ctx.subdirs * TOPS * FILES_PER_DIR // 3)
    cases = []
    for files in sizes:
        with pair(ctx, files) as (root, copies, name):
            cases.append(f"1,000 changes of {name}")
            with Mirror(ctx, copies) as mirror:
                mirror.start(root)
                for _ in range(ctx.reps):
                    ctx.report.add("growth", cases[-1], OURS, **mirror.timed(
                        lambda: change_some(root, 1000)))
    small = ctx.report.median("growth", cases[0], OURS, "CPU s")
    if small:
        ctx.report.goal("P13", "growth", cases[1], "CPU s", 1.5 * small)
