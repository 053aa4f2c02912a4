# SPDX-License-Identifier: GPL-2.0-or-later
"""P3, P4 and the catalog's half of P9: a large tree that stands still."""

import contextlib
import os
import time

from . import machine
from .daemon import Daemon
from .peers import BareFanotify, Inotifywait, LsyncdWatching, Watchman
from .process import measure, timed
from .report import OURS

FILES_PER_DIR, TOPS = 10, 50


@contextlib.contextmanager
def tree(ctx):
    """The tree on a volume of its own; kept until the run ends."""
    if ctx.tree is None:
        names = TOPS * ctx.subdirs * (FILES_PER_DIR + 1)
        at = ctx.stack.enter_context(machine.volume(
            "ext4", name="tree", on=ctx.work, inodes=names + 10000,
            size=(2 << 30) + names * 6144))
        made = measure(ctx.tool("bench_tree"), "-s", str(ctx.subdirs), at)
        ctx.tree, ctx.tree_files = at, made["files"]
        ctx.tree_name = f"{made['files']:,} files, {made['dirs']:,} " \
            "directories"
    yield ctx.tree


def warm(ctx, at):
    measure(ctx.tool("bench_walk"), "-t", "2", at)


def one_start(ctx, at, who, pinned, **options):
    """Start to nothing is missed; what it then holds. @pinned: in the kernel
    too, which takes a cold walk to find out."""
    before = machine.pinned_mb() if pinned else 0
    warm(ctx, at)
    with who(ctx, **options) as program:
        program.root = at
        begin = time.monotonic()
        program.process = program.spawn(at)
        if isinstance(program, Daemon):
            program.wait_capturing()
        else:
            program.wait_ready()
        ready = time.monotonic()
        quiet = program.process.wait_quiet()
        if who in (LsyncdWatching,):
            ready = quiet
        values = {
            "capturing after ms": (ready - begin) * 1e3,
            "CPU s": program.process.cpu_s(),
            "resident MB": program.process.resident_mb(),
        }
        if pinned:
            values["kernel MB pinned"] = max(0, machine.pinned_mb() - before)
        ctx.report.add("start", ctx.tree_name, who.name, **values)


def run_start(ctx):
    with tree(ctx) as at:
        state = os.path.join(ctx.work, "state-start")
        if ctx.wants(Daemon):
            with Daemon(ctx, state=state) as daemon:
                daemon.start(at)
        for rep in range(ctx.reps):
            for who in (BareFanotify, Daemon, Inotifywait, LsyncdWatching,
                        Watchman):
                if ctx.wants(who):
                    one_start(ctx, at, who, rep == 0,
                              **({"state": state} if who is Daemon else {}))
    name = ctx.tree_name
    ctx.report.goal("P3", "start", name, "capturing after ms", 50)
    ctx.report.goal("P3", "start", name, "resident MB", 48)
    ctx.report.goal("P3", "start", name, "kernel MB pinned", 5)


def bare_walk(ctx, at, threads):
    return measure(ctx.tool("bench_walk"), "-t", str(threads), at)


def scan(ctx, daemon):
    """Ask for one and wait for its end: wall and CPU seconds."""
    cpu, begin = daemon.process.cpu_s(), time.monotonic()
    daemon.call(command="scan")
    daemon.finish()  # not before the scan's gap is closed
    return {"s": time.monotonic() - begin,
            "CPU s": daemon.process.cpu_s() - cpu}


def first_scan(ctx, at):
    """Into an empty catalog, and what the catalog then takes."""
    with Daemon(ctx) as daemon:
        wall_s = daemon.start(at)
        ctx.report.add("scan", "first, warm", OURS, **{
            "s": wall_s, "CPU s": daemon.process.cpu_s(),
            "resident MB": daemon.process.resident_mb()})
        names = daemon.query("SELECT count(*) FROM entry")[0][0]
        size = daemon.query("SELECT sum(pgsize) FROM dbstat WHERE name IN"
                            " ('entry', 'entry_ino', 'dir')")[0][0]
        ctx.report.add("size", "catalog", OURS,
                       **{"bytes a name": size / names})
        ctx.report.add("scan", "finds nothing, warm", OURS,
                       **scan(ctx, daemon))
        if ctx.cold:
            machine.drop_caches()
            ctx.report.add("scan", "finds nothing, cold", OURS,
                           **scan(ctx, daemon))


def walks(ctx, at, case):
    """The limit, and the tool that people use for it."""
    cold = case.endswith("cold")
    for who, threads in (("bare walk, 2 threads", 2),
                         ("bare walk, 1 thread", 1)):
        if cold:
            machine.drop_caches()
        walked = bare_walk(ctx, at, threads)
        ctx.report.add("scan", case, who,
                       **{"s": walked["wall_s"], "CPU s": walked["cpu_s"]})
    if cold:
        machine.drop_caches()
    ctx.report.add("scan", case, "find -cnewer", s=timed(
        "find", at, "-cnewer", __file__))


def run_scan(ctx):
    with tree(ctx) as at:
        for _ in range(ctx.reps):
            warm(ctx, at)
            for case in ("first, warm", "finds nothing, warm"):
                walks(ctx, at, case)
            if ctx.cold:
                walks(ctx, at, "finds nothing, cold")
            warm(ctx, at)
            if ctx.wants(Daemon):
                first_scan(ctx, at)
    ctx.report.goal("P4", "scan", "first, warm", "s", 6)
    ctx.report.goal("P4", "scan", "finds nothing, warm", "s", 3)
    bare = ctx.report.median("scan", "finds nothing, cold",
                             "bare walk, 2 threads", "s")
    if bare:
        ctx.report.goal("P4", "scan", "finds nothing, cold", "s", 1.3 * bare)
    ctx.report.goal("P9", "size", "catalog", "bytes a name", 150)
