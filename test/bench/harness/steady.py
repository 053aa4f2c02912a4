# SPDX-License-Identifier: GPL-2.0-or-later
"""P6, P9, P10 and P11: a quiet system, and the journal's own size."""

import os
import time

from . import machine
from .daemon import Daemon
from .peers import BareFanotify, Inotifywait, Watchman
from .process import measure
from .report import OURS

RATE = 50  # changes a second
IDLE_MS = 300  # longer than any interval of the daemon


def run_latency(ctx):
    for _ in range(ctx.reps):
        with machine.volume("ext4") as at, Daemon(ctx) as daemon:
            daemon.start(at)
            got = measure(ctx.tool("bench_latency"), "-g", str(IDLE_MS), "-n",
                          str(ctx.latency_files), at, daemon.journal)
            ctx.report.add("latency", "close to committed", OURS, **{
                "median ms": got["median_ms"], "p99 ms": got["p99_ms"]})
    # What the mirror needs after the commit comes on top.
    ctx.report.goal("P6", "latency", "close to committed", "median ms", 10)
    ctx.report.goal("P6", "latency", "close to committed", "p99 ms", 40)


def one_idle(ctx, who):
    with machine.volume("ext4") as at, who(ctx) as program:
        measure(ctx.tool("bench_storm"), "-m", at)
        program.start(at)
        program.process.wait_quiet(2)
        wakeups, begin = program.process.wakeups(), time.monotonic()
        time.sleep(ctx.idle_s)
        wakeups = program.process.wakeups() - wakeups
        ctx.report.add("idle", "nothing happens", who.name, **{
            "wake-ups a minute": wakeups * 60 / (time.monotonic() - begin)})
        cpu, begin = program.process.cpu_s(), time.monotonic()
        measure(ctx.tool("bench_storm"), "-r", str(RATE), "-n",
                str(RATE * ctx.idle_s), at)
        program.finish()
        ctx.report.add("idle", f"{RATE} changes a second", who.name, **{
            "% of a core": (program.process.cpu_s() - cpu) * 100 /
            (time.monotonic() - begin)})


def run_idle(ctx):
    for _ in range(min(ctx.reps, 3)):
        for who in (BareFanotify, Daemon, Inotifywait, Watchman):
            if ctx.wants(who):
                one_idle(ctx, who)
    # The service manager's watchdog, if there is one, is twice a minute.
    ctx.report.goal("P11", "idle", "nothing happens", "wake-ups a minute", 4)
    ctx.report.goal("P11", "idle", f"{RATE} changes a second", "% of a core",
                    1)


def run_size(ctx):
    """Bytes a change, of files made one by one in many directories."""
    with machine.volume("ext4") as at, Daemon(ctx) as daemon:
        measure(ctx.tool("bench_storm"), "-m", at)
        daemon.start(at)
        measure(ctx.tool("bench_storm"), "-n", str(ctx.storm_files), at)
        daemon.finish()
        changes = daemon.query("SELECT count(*) FROM change")[0][0]
        size = daemon.query(
            "SELECT sum(pgsize) FROM dbstat WHERE name IN ('change',"
            " 'change_place', 'change_old', 'place', 'batch', 'batch_time',"
            " 'sqlite_autoindex_place_1')")[0][0]
        ctx.report.add("size", "journal", OURS,
                       **{"bytes a change": size / max(changes, 1)})
    ctx.report.goal("P9", "size", "journal", "bytes a change", 100)


def run_query(ctx):
    tool = ctx.tool("bench_query")
    if not os.access(tool, os.X_OK):
        return
    for _ in range(ctx.reps):
        got = measure(tool, "-n", str(ctx.query_changes), ctx.work)
        for name, ms in {**got["ms"], **got["more_ms"]}.items():
            ctx.report.add("query", name, OURS, ms=ms)
    for name in got["ms"]:
        ctx.report.goal("P10", "query", name, "ms", 50)
