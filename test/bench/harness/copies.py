# SPDX-License-Identifier: GPL-2.0-or-later
"""P5, P6 and P7: a mirror beside what else makes and keeps a second copy."""

import contextlib
import os
import resource
import shutil
import subprocess
import time

from . import machine
from .daemon import Daemon
from .mirror import RSYNC, Mirror
from .peers import Lsyncd
from .process import BenchError, measure, wait_for
from .report import OURS
from .tree import tree, warm

CHANGED = 1000
OWN = ".journalctl-backup"
LISTED = "rsync --files-from"
KEEPING = LISTED + " --backup-dir"  # old versions are kept, as ours are


class LsyncdTo(Lsyncd):
    """To a target that has the copy already."""

    init = ", init = false"

    def __init__(self, ctx, target):
        super().__init__(ctx)
        self.to = target

    def make_target(self):
        return self.to


class Disk:
    """Bytes that went to the device of a mounted file system."""

    def __init__(self, at):
        source = subprocess.run(["findmnt", "-no", "SOURCE", at], text=True,
                                check=True, stdout=subprocess.PIPE).stdout
        self.stat = f"/sys/block/{os.path.basename(source.strip())}/stat"
        self.before = self.read()

    def read(self):
        return int(machine.read(self.stat).split()[6]) * 512

    def mb(self):
        return (self.read() - self.before) / 1e6


def sync(at):
    subprocess.run(["sync", "-f", at], check=True)


def cpu_s():
    """Ours, and of children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF,
                                                resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def run_on(target, work):
    """Wall and CPU seconds of @work and of making it durable, MB written."""
    sync(target)
    disk, cpu = Disk(target), cpu_s()
    begin = time.monotonic()
    work()
    sync(target)
    return {"s": time.monotonic() - begin, "CPU s": cpu_s() - cpu,
            "MB written": disk.mb()}


def command(*argv, **kwargs):
    def work():
        if subprocess.run(argv, stdout=subprocess.DEVNULL,
                          **kwargs).returncode != 0:
            raise BenchError(f"{argv[0]}: failed")
    return work


# ---- P7: first copies

def make_files(at, count, size):
    block = os.urandom(size)
    for i in range(count):
        where = f"{at}/d{i // 100:03}"
        if i % 100 == 0:
            os.mkdir(where)
        with open(f"{where}/f{i:06}", "wb") as f:
            f.write(block)


def ours_first(ctx, source, target, case):
    """The journal is there already; `run` makes one pass by itself."""
    with Daemon(ctx) as daemon:
        daemon.start(source)
        daemon.process.stop()
        with Mirror(ctx, target, state=daemon.state) as mirror:
            mirror.write_config(source)
            ctx.report.add("first copy", case, OURS, **run_on(target, command(
                ctx.binary, "--config", mirror.config_file, "run", "bench")))


def first_copies(ctx, source, case, size, inodes):
    for who in ("cp -a", "rsync -a", OURS):
        with machine.volume("ext4", name="copy", on=ctx.work, size=size,
                            inodes=inodes) as target:
            shutil.rmtree(f"{target}/lost+found")
            if who == "cp -a":
                work = command("cp", "-a", source + "/.", target)
            elif who == "rsync -a":
                work = command("rsync", "-a", source + "/", target)
            else:
                ours_first(ctx, source, target, case)
                continue
            ctx.report.add("first copy", case, who, **run_on(target, work))


def run_copy(ctx):
    small = 2000 if ctx.storm_files < 100000 else 30000
    shapes = [(f"{small:,} x 4 KiB", small, 4096, 1.3),
              (f"{small // 30:,} x 1 MiB", small // 30, 1 << 20, 2)]
    for case, count, size, ahead in shapes:
        with machine.volume("ext4", name="files", on=ctx.work) as source:
            shutil.rmtree(f"{source}/lost+found")
            make_files(source, count, size)
            for _ in range(ctx.reps):
                first_copies(ctx, source, case, 3 << 30, 100000)
        ctx.report.goal("P7", "first copy", case, "s", ahead,
                        factor_of="rsync -a")
        ctx.report.goal("P7", "first copy", case, "s", 1, factor_of="cp -a")
    with tree(ctx) as at:
        names = ctx.tree_files * 11 // 10
        for _ in range(1 if ctx.tree_files > 500000 else ctx.reps):
            warm(ctx, at)
            first_copies(ctx, at, ctx.tree_name, (2 << 30) + names * 6144,
                         names + 20000)
        ctx.report.goal("P7", "first copy", ctx.tree_name, "s", 2.5,
                        factor_of="rsync -a")


# ---- P5: changed files of a large tree; P8: a renamed directory

def change(at, number):
    """Rewrite CHANGED files, spread over the tree; their names. rsync takes
    what has its size, of the same second, for the same."""
    names = []
    subs = [f"{top}/{sub}" for top in sorted(os.listdir(at))
            if top.startswith("top-")
            for sub in sorted(os.listdir(f"{at}/{top}"))
            if sub.startswith("sub-")]
    step = max(1, len(subs) // CHANGED)
    for i in range(CHANGED):
        name = f"{subs[i * step % len(subs)]}/file-0{i % 10}.txt"
        names.append(name)
    for name in names:
        with open(f"{at}/{name}", "w") as f:
            f.write(f"{name} for the {number}. time\n" * (2 + number % 5))
    return names


def plain_loop(at, target, names):
    """What a program does that knows the names and promises nothing."""
    for name in names:
        new = f"{target}/{name}.new"
        shutil.copy2(f"{at}/{name}", new)
        os.rename(new, f"{target}/{name}")


@contextlib.contextmanager
def copied(ctx, at):
    """A mirror of the tree that is up to date, and its target, with room for
    old versions."""
    names = ctx.tree_files * 11 // 10
    with machine.volume("ext4", name="copy", on=ctx.work,
                        size=(2 << 30) + names * 6144,
                        inodes=names + 200000) as target:
        shutil.rmtree(f"{target}/lost+found")
        with Mirror(ctx, target) as mirror:
            mirror.start(at)
            yield mirror, target


def one_changed(at, target, mirror, number):
    """From the last close until it is durable at the target."""
    sync(target)
    disk, bytes_before = Disk(target), mirror.policy()["bytes"]
    change(at, number)
    begin = time.monotonic()
    end = mirror.finish()
    return {"s": end - begin, "MB written": disk.mb(),
            "MB copied": (mirror.policy()["bytes"] - bytes_before) / 1e6}


def one_planned(at, target, mirror, number, cold):
    """The changes are in the journal already: from there on."""
    mirror.call(command="policy", policy="bench", do="pause")
    change(at, number)
    mirror.call(command="flush", timeout_ms=0)
    sync(target)
    if cold:
        machine.drop_caches()
    disk, begin = Disk(target), time.monotonic()
    mirror.call(command="policy", policy="bench", do="resume")
    end = mirror.finish()
    return {"s": end - begin, "MB written": disk.mb()}


def listed_changed(who, at, target, names, number):
    """What brings the files @names, and nothing else, to the target."""
    if who == "plain loop":
        return lambda: plain_loop(at, target, names)
    listed = "".join(f"./{n}\0" for n in names).encode()
    keep = [] if who == LISTED else [
        "--backup", f"--backup-dir={target}/{OWN}/kept/{number}"]
    return command("rsync", "-a", *keep, "--from0", "--files-from=-",
                   at + "/", target, input=listed)


def other_changed(ctx, who, at, target, number, cold):
    """The same change to the same target, which only they don't know of."""
    names = change(at, number)
    if who == RSYNC:
        work = command("rsync", "-a", "--delete", f"--exclude=/{OWN}/",
                       at + "/", target)
        if not cold:
            warm(ctx, at)
            warm(ctx, target)
    else:
        work = listed_changed(who, at, target, names, number)
    sync(target)
    if cold:
        machine.drop_caches()
    return run_on(target, work)


def lsyncd_changed(ctx, at, target, case, number):
    with LsyncdTo(ctx, target) as lsyncd:
        lsyncd.start(at)
        change(at, number)
        begin = time.monotonic()
        ctx.report.add("changed", case, lsyncd.name,
                       s=lsyncd.finish() - begin)


def run_changed(ctx):
    with tree(ctx) as at, copied(ctx, at) as (mirror, target):
        case = f"{CHANGED:,} files of {ctx.tree_files:,}"
        alone, cold = f"{case}, plan and copy", f"{case}, cold"
        numbers = iter(range(1000))
        for _ in range(ctx.reps):
            ctx.report.add("changed", case, OURS, **one_changed(
                at, target, mirror, next(numbers)))
            ctx.report.add("changed", alone, OURS, **one_planned(
                at, target, mirror, next(numbers), False))
        for _ in range(ctx.reps if ctx.cold else 0):
            ctx.report.add("changed", cold, OURS, **one_planned(
                at, target, mirror, next(numbers), True))
        mirror.process.stop()
        for _ in range(ctx.reps):
            for who in (LISTED, KEEPING, "plain loop", RSYNC):
                values = other_changed(ctx, who, at, target, next(numbers),
                                       False)
                ctx.report.add("changed", case, who, **values)
                if who != RSYNC:
                    ctx.report.add("changed", alone, who, **values)
                if ctx.cold:
                    ctx.report.add("changed", cold, who, **other_changed(
                        ctx, who, at, target, next(numbers), True))
        if ctx.wants(LsyncdTo):
            lsyncd_changed(ctx, at, target, case, next(numbers))
    goals = ctx.report.goal
    goals("P5", "changed", case, "s", 0.5)
    goals("P5", "changed", alone, "s", 1, factor_of=LISTED)
    goals("P5", "changed", case, "s", 20, factor_of=RSYNC)
    goals("P5", "changed", cold, "s", 80, factor_of=RSYNC)


# ---- P6: one file

def arrives(path, begin):
    wait_for(lambda: os.path.exists(path), path, timeout_s=30, poll_s=0.0002)
    return (time.monotonic() - begin) * 1e3


def write_one(path):
    with open(path, "wb") as f:
        f.write(b"x" * 4096)
    return time.monotonic()


def percentile(values, percent):
    return sorted(values)[(len(values) * percent - 1) // 100]


def add_latency(ctx, who, times):
    ctx.report.add("mirror latency", "close to mirrored, 4 KiB", who, **{
        "median ms": percentile(times, 50), "p99 ms": percentile(times, 99)})


def run_latency(ctx):
    """A file now and then; the system is idle before each."""
    with machine.volume("ext4", name="files") as at, \
            machine.volume("ext4", name="copy") as target:
        shutil.rmtree(f"{target}/lost+found")
        for rep in range(ctx.reps):
            with Mirror(ctx, target, state=f"{ctx.work}/latency") as mirror:
                mirror.start(at)
                times = []
                for i in range(ctx.latency_files):
                    time.sleep(0.3)
                    name = f"f{rep}-{i}"
                    begin = write_one(f"{at}/{name}")
                    times.append(arrives(f"{target}/{name}", begin))
                add_latency(ctx, OURS, times)
            times = []
            for i in range(10):
                begin = write_one(f"{at}/r{rep}-{i}")
                command("rsync", "-a", f"{at}/r{rep}-{i}", target)()
                times.append((time.monotonic() - begin) * 1e3)
                for top in (at, target):  # ours would find it there
                    os.unlink(f"{top}/r{rep}-{i}")
            add_latency(ctx, "one exec of rsync", times)
        lsyncd_latency(ctx, at, target)
    ctx.report.goal("P6", "mirror latency", "close to mirrored, 4 KiB",
                    "median ms", 10)
    ctx.report.goal("P6", "mirror latency", "close to mirrored, 4 KiB",
                    "p99 ms", 40)


def lsyncd_latency(ctx, at, target):
    if not ctx.wants(LsyncdTo):
        return
    with LsyncdTo(ctx, target) as lsyncd:
        lsyncd.start(at)
        times = []
        for i in range(5):
            begin = write_one(f"{at}/l{i}")
            times.append(arrives(f"{target}/l{i}", begin))
        add_latency(ctx, lsyncd.name + ", delay = 1", times)
