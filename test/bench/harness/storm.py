# SPDX-License-Identifier: GPL-2.0-or-later
"""P1 and P2: writers at full speed, live and as a backlog."""

import os
import signal
import time

from . import machine
from .daemon import Daemon, InotifyDaemon
from .peers import (BareFanotify, BareFanotifyAtOnce, Inotifywait, Lsyncd,
                    Watchman)
from .process import measure
from .program import Nobody

# Everybody in the one case that the figures name, the quick ones in all.
QUICK = (Nobody, BareFanotify, Daemon, Inotifywait)
ALL = QUICK + (BareFanotifyAtOnce, InotifyDaemon, Watchman, Lsyncd)
SLOW = (Lsyncd,)
#        file system, writers, whether the files stay, who is measured
CASES = (("ext4", 1, True, QUICK), ("ext4", 2, True, ALL),
         ("tmpfs", 1, True, QUICK), ("tmpfs", 2, True, QUICK),
         ("ext4", 2, False, QUICK))


def storm(ctx, at, writers, *options):
    return measure(ctx.tool("bench_storm"), "-n", str(ctx.storm_files), "-t",
                   str(writers), *options, at)


def one_storm(ctx, case, who):
    """One repetition."""
    kind, writers, stay, _ = case
    with machine.volume(kind) as at, who(ctx) as program:
        storm(ctx, at, writers, "-m")
        program.start(at)
        cpu = program.process.cpu_s() if program.process else 0
        load = storm(ctx, at, writers, *([] if stay else ["-u"]))
        end = time.monotonic()
        done = program.finish()
        values = {"writers s": load["wall_s"]}
        if program.process is not None:
            cpu = program.process.cpu_s() - cpu
            values["CPU s per 1M ops"] = cpu / load["ops"] * 1e6
            values["done after s"] = max(0, done - end)
            values["resident MB"] = program.process.resident_mb()
        seen = program.seen() if stay else None
        if seen is not None:
            values["lost"] = load["files"] - seen
        ctx.report.add("storm", case_name(case), who.name, **values)


def case_name(case):
    kind, writers, stay, _ = case
    return f"{kind}, {writers} writer{'s' if writers > 1 else ''}" + \
        ("" if stay else ", unlinked again")


def run_storm(ctx):
    for rep in range(ctx.reps):
        for case in CASES:
            for who in case[3]:
                if ctx.wants(who) and (who not in SLOW or rep < 3):
                    one_storm(ctx, case, who)
    for case in CASES:
        name = case_name(case)
        ctx.report.ratio("storm", name, "slowed x", "writers s", Nobody.name)
        ctx.report.goal("P1", "storm", name, "lost", 0)
        ctx.report.goal("P1", "storm", name, "slowed x", 1.35)
        ctx.report.goal("P1", "storm", name, "CPU s per 1M ops", 2)
    for who, times in ((Inotifywait, 1.8), (Watchman, 5), (Lsyncd, 20)):
        ctx.report.goal("P1", "storm", case_name(CASES[1]),
                        "CPU s per 1M ops", times, factor_of=who.name)


def fill_backlog(ctx, at, program):
    """Distinct names queue up while the reader is stopped."""
    os.kill(program.process.pid, signal.SIGSTOP)
    try:
        measure(ctx.tool("bench_storm"), "-c", "-n", str(ctx.backlog_files),
                at)
    finally:
        os.kill(program.process.pid, signal.SIGCONT)


def one_backlog(ctx, who):
    with machine.volume("ext4", inodes=1200000) as at, \
            who(ctx) as program:
        measure(ctx.tool("bench_storm"), "-m", at)
        program.start(at)
        cpu = program.process.cpu_s()
        fill_backlog(ctx, at, program)
        begin = time.monotonic()
        end = program.finish()
        values = {
            "names a second": ctx.backlog_files / max(end - begin, 0.001),
            "CPU s per 1M names": (program.process.cpu_s() - cpu) /
            ctx.backlog_files * 1e6,
            "resident MB": program.process.resident_mb(),
        }
        seen = program.seen()
        if seen is not None:
            values["lost"] = ctx.backlog_files - seen
        ctx.report.add("backlog", backlog_name(ctx), who.name, **values)


def backlog_name(ctx):
    return f"{ctx.backlog_files:,} new names"


def run_backlog(ctx):
    # Create, modify and close of a file merge into one event or two.
    with machine.queue_limit(max(ctx.backlog_files * 4, 16384)):
        for _ in range(ctx.reps):
            for who in (BareFanotify, Daemon):
                if ctx.wants(who):
                    one_backlog(ctx, who)
    ctx.report.goal("P2", "backlog", backlog_name(ctx), "names a second",
                    150000, least=True)
    ctx.report.goal("P2", "backlog", backlog_name(ctx), "lost", 0)
