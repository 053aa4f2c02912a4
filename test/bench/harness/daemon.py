# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon under test, spoken to as its own commands do."""

import json
import os
import shutil
import socket
import sqlite3
import time

from . import report
from .process import BenchError, wait_for
from .program import Program

CONFIG = """\
[Journal]
StateDirectory={state}
RuntimeDirectory={run}

[Root bench]
Path={root}
Backend={backend}
"""


class Daemon(Program):
    name = report.OURS
    backend = "fanotify"

    def __init__(self, ctx, state=None):
        super().__init__(ctx)
        self.state = state or os.path.join(self.dir, "state")
        self.runtime = os.path.join(self.dir, "run")

    @classmethod
    def available(cls, ctx):
        return os.access(ctx.binary, os.X_OK)

    @property
    def config_file(self):
        return os.path.join(self.dir, "journal.conf")

    def config(self, root):
        return CONFIG.format(state=self.state, run=self.runtime, root=root,
                             backend=self.backend)

    def write_config(self, root):
        with open(self.config_file, "w") as f:
            f.write(self.config(root))

    def spawn(self, root):
        self.write_config(root)
        return self.run([self.ctx.binary, "--config", self.config_file,
                         "daemon"])

    def call(self, timeout_s=300, **request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(timeout_s)
            s.connect(os.path.join(self.runtime, "control"))
            s.sendall(json.dumps(request).encode() + b"\n")
            with s.makefile() as answers:
                answer = json.loads(answers.readline() or "{}")
        if not answer.get("ok"):
            raise BenchError(f"{request}: {answer.get('error')}")
        return answer

    def answers(self):
        self.process.check()
        try:
            return self.call(command="ping")
        except (OSError, BenchError):
            return False

    def wait_capturing(self):
        """Until the kernel queues events for it."""
        mark = "inotify wd:" if self.backend == "inotify" else \
            "fanotify sdev:"
        wait_for(lambda: self.process.check() and
                 self.process.has_fdinfo(mark), "mark", poll_s=0.001)

    def wait_ready(self):
        """Until the baseline is in the catalog."""
        wait_for(self.answers, "answer from the daemon")
        self.finish()

    def finish(self):
        self.call(command="flush", timeout_ms=0)
        return time.monotonic()

    def root_status(self):
        return self.call(command="status")["roots"][0]

    def query(self, sql):
        db = sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    @property
    def journal(self):
        return os.path.join(self.state, "journal.db")

    def seen(self):
        """Names in the catalog, if each was journalled too: as created, or
        as the new name of what was seen before its rename."""
        in_catalog = self.query(
            "SELECT count(*) FROM entry WHERE det = 0"
            " AND substr(name, 1, 1) = x'66'")[0][0]
        created = self.query(
            "SELECT count(DISTINCT name) FROM change WHERE kind IN (1, 4)"
            " AND substr(name, 1, 1) = x'66'")[0][0]
        return min(in_catalog, created)

    def forget_state(self):
        shutil.rmtree(self.state, ignore_errors=True)


class InotifyDaemon(Daemon):
    name = report.OURS + ", inotify"
    backend = "inotify"
