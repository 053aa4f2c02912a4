# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory of the daemon, and how long a quiet root waits, while another one is
in a storm."""

import os
import sqlite3
import threading
import time

from . import machine
from .daemon import CONFIG, Daemon
from .process import measure
from .report import OURS

SAMPLE_S = 0.2
POLL_S = 0.005
LOST_S = 60

QUIET = """
[Root quiet]
Path={quiet}
"""

FIND = ("SELECT 1 FROM place p JOIN change c ON c.place = p.id"
        " WHERE p.root = (SELECT id FROM root WHERE name = 'quiet')"
        " AND c.name = ?")


class TwoRoots(Daemon):
    """One root for the storm, one that is quiet."""

    def __init__(self, ctx, quiet):
        super().__init__(ctx)
        self.quiet = quiet

    def spawn(self, root):
        config = os.path.join(self.dir, "journal.conf")
        with open(config, "w") as f:
            f.write(CONFIG.format(state=self.state, run=self.runtime,
                                  root=root, backend=self.backend))
            f.write(QUIET.format(quiet=self.quiet))
        return self.run([self.ctx.binary, "--config", config, "daemon"])


class Watch(threading.Thread):
    """Writes into the quiet root now and then and waits until it is in the
    journal; looks at the daemon's memory meanwhile."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_ = daemon
        self.stop = threading.Event()
        self.lags_ms = []
        self.resident_mb = 0
        self.failed = None

    def run(self):
        db = sqlite3.connect(f"file:{self.daemon_.journal}?mode=ro", uri=True)
        try:
            i = 0
            while not self.stop.wait(SAMPLE_S):
                self.one(db, f"quiet-{i:06}".encode())
                i += 1
        except (OSError, sqlite3.Error) as e:
            self.failed = e
        finally:
            db.close()

    def one(self, db, name):
        path = os.path.join(self.daemon_.quiet.encode(), name)
        with open(path, "wb") as f:
            f.write(b"quiet")
        begin = time.monotonic()
        while db.execute(FIND, (name,)).fetchone() is None:
            if time.monotonic() - begin > LOST_S:
                raise OSError(f"{name}: not in the journal after {LOST_S} s")
            time.sleep(POLL_S)
            self.look()
        self.lags_ms.append((time.monotonic() - begin) * 1e3)
        self.look()

    def look(self):
        self.resident_mb = max(self.resident_mb,
                               self.daemon_.process.resident_mb())

    def values(self):
        self.stop.set()
        self.join()
        if self.failed:
            raise self.failed
        lags = sorted(self.lags_ms)
        return {
            "quiet lag median ms": lags[len(lags) // 2],
            "quiet lag p99 ms": lags[(len(lags) * 99 - 1) // 100],
            "quiet lag max ms": lags[-1],
            "resident MB": self.resident_mb,
        }


def one_pressure(ctx, case, files, *load):
    """One load on a root while the other one is watched."""
    with machine.volume("tmpfs", "storm", size=14 << 30,
                        inodes=files + 100000) as at, \
            machine.volume("ext4", "quiet", size=256 << 20,
                           inodes=20000) as quiet, \
            TwoRoots(ctx, quiet) as daemon:
        measure(ctx.tool("bench_storm"), "-m", at)
        daemon.start(at)
        before = daemon.process.resident_mb()
        watch = Watch(daemon)
        watch.start()
        got = measure(ctx.tool(load[0]), *load[1:], at)
        values = watch.values()
        begin = time.monotonic()
        daemon.finish()
        values["done after s"] = time.monotonic() - begin
        values["resident before MB"] = before
        values["resident after MB"] = daemon.process.resident_mb()
        values["ops a second"] = got["ops"] / got["wall_s"]
        gaps = daemon.query("SELECT reason FROM gap"
                            " WHERE reason <> 'first scan'")
        values["gaps"] = len(gaps)
        ctx.report.line("gaps", case=case, reasons=[g[0] for g in gaps])
        if load[0] == "bench_storm":
            values["lost"] = got["files"] - daemon.query(
                "SELECT count(*) FROM entry WHERE det = 0"
                " AND substr(name, 1, 1) = x'66'")[0][0]
        ctx.report.add("pressure", case, OURS, **values)


def run_pressure(ctx):
    files = ctx.pressure_files
    storm, renames = f"{files:,} new files", f"{ctx.pressure_s} s of renames"
    one_pressure(ctx, storm, files, "bench_storm", "-n", str(files), "-t", "2")
    one_pressure(ctx, renames, 100000, "bench_rename", "-t", "2", "-s",
                 str(ctx.pressure_s))
    for case in (storm, renames):
        ctx.report.goal("P14", "pressure", case, "resident MB", 256)
        ctx.report.goal("P14", "pressure", case, "quiet lag p99 ms", 5000)
    ctx.report.goal("P14", "pressure", storm, "lost", 0)
