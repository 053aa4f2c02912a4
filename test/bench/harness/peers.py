# SPDX-License-Identifier: GPL-2.0-or-later
"""Other programs that do the same work, as their manuals start them, and the
bare limit."""

import json
import os
import subprocess
import time

from .process import BenchError, Process, wait_for
from .program import Program

LSYNCD_CONFIG = """\
settings {{ nodaemon = true, logfile = "{log}", maxProcesses = 1 }}
sync {{ default.{mode}, source = "{root}", target = "{target}",
        delay = 1{init} }}
"""


class BareFanotify(Program):
    """Reads every event and does nothing about it."""

    name = "bare fanotify, 1 ms nap"
    nap_us = 1000

    @classmethod
    def available(cls, ctx):
        return True

    def spawn(self, root):
        return self.run([self.ctx.tool("bench_bare_fanotify"), "-n",
                         str(self.nap_us), root])

    def wait_ready(self):
        wait_for(lambda: self.process.check() and
                 "ready" in open(self.log).read(), "mark")


class BareFanotifyAtOnce(BareFanotify):
    name = "bare fanotify, at once"
    nap_us = 0


class Inotifywait(Program):
    name = "inotifywait -m -r >> log"
    command = "inotifywait"

    def spawn(self, root):
        self.events = os.path.join(self.dir, "events")
        # Standard output to its own file: the log that people keep.
        return Process(["sh", "-c", "exec inotifywait -m -r \"$0\" >>\"$1\"",
                        root, self.events], self.log)

    def wait_ready(self):
        wait_for(lambda: self.process.check() and
                 "established" in open(self.log).read(), "watches",
                 poll_s=0.01)

    def seen(self):
        names = set()
        with open(self.events, errors="surrogateescape") as f:
            for line in f:
                name = line.rstrip("\n").rsplit(" ", 1)[-1]
                if name.startswith("f"):
                    names.add(name)
        return len(names)


class Watchman(Program):
    name = "watchman"
    command = "watchman"

    def spawn(self, root):
        self.socket = os.path.join(self.dir, "sock")
        return self.run(["watchman", "--foreground", "--sockname",
                         self.socket, "--statefile",
                         os.path.join(self.dir, "state"), "--logfile",
                         self.log, "--pidfile",
                         os.path.join(self.dir, "pid")])

    def client(self, request):
        out = subprocess.run(
            ["watchman", "--no-spawn", "--sockname", self.socket, "-j"],
            input=json.dumps(request), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        try:
            answer = json.loads(out.stdout)
        except json.JSONDecodeError:
            raise BenchError("watchman: " + out.stderr.strip()) from None
        if "error" in answer:
            raise BenchError("watchman: " + answer["error"])
        return answer

    def names(self):
        """Answers when it is through with what is queued."""
        return self.client(["query", self.root, {
            "expression": ["allof", ["type", "f"], ["match", "f*"]],
            "fields": ["name"], "sync_timeout": 120000}])["files"]

    def wait_ready(self):
        wait_for(lambda: self.process.check() and
                 os.path.exists(self.socket), "socket")
        self.client(["watch", self.root])
        self.names()

    def finish(self):
        self.names()
        return time.monotonic()

    def seen(self):
        return len(self.names())


class Lsyncd(Program):
    name = "lsyncd, rsync"
    command = "lsyncd"
    init = ""

    def make_target(self):
        target = os.path.join(self.dir, "target")
        os.mkdir(target)
        return target

    def spawn(self, root):
        self.target = self.make_target()
        config = os.path.join(self.dir, "lsyncd.conf")
        with open(config, "w") as f:
            f.write(LSYNCD_CONFIG.format(
                log=self.log, root=root, target=self.target,
                mode="rsync", init=self.init))
        return self.run(["lsyncd", "-nodaemon", config])

    def finish(self):
        # It waits a second before it starts rsync.
        return self.process.wait_quiet(quiet_s=2.5)

    def seen(self):
        count = 0
        for _, _, files in os.walk(self.target):
            count += sum(name.startswith("f") for name in files)
        return count


class LsyncdWatching(Lsyncd):
    """Its watches only, without the first copy."""

    name = "lsyncd, watches only"
    init = ", init = false"
