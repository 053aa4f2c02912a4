# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that watch a tree: what each must be able to do here."""

import os
import shutil
import tempfile
import time

from .process import Process


class Program:
    """start -> (finish -> seen)* -> stop. Each has a directory of its own."""

    name = ""
    command = ""  # what must be on PATH

    def __init__(self, ctx):
        self.ctx = ctx
        self.dir = tempfile.mkdtemp(prefix="program-", dir=ctx.work)
        self.log = os.path.join(self.dir, "log")
        self.process = None
        self.root = None

    @classmethod
    def available(cls, ctx):
        return shutil.which(cls.command) is not None

    def start(self, root):
        """Watch @root; how long it took until nothing is missed, in s."""
        self.root = root
        begin = time.monotonic()
        self.process = self.spawn(root)
        self.wait_ready()
        return time.monotonic() - begin

    def spawn(self, root):
        raise NotImplementedError

    def wait_ready(self):
        self.process.wait_quiet()

    def finish(self):
        """Wait until what was changed before is dealt with; when it was."""
        return self.process.wait_quiet()

    def seen(self):
        """How many different files named f... it knows of."""
        return None

    def stop(self):
        if self.process is not None:
            self.process.stop()
            self.process = None
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    def run(self, argv):
        return Process(argv, self.log)


class Nobody(Program):
    """The load alone."""

    name = "nobody"

    @classmethod
    def available(cls, ctx):
        return True

    def start(self, root):
        return 0.0

    def finish(self):
        return time.monotonic()
