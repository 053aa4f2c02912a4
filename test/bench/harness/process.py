# SPDX-License-Identifier: GPL-2.0-or-later
"""Running programs, and what /proc says of them."""

import json
import os
import resource
import signal
import subprocess
import time

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """A measurement that can't be made; its text is for the user."""


def measure(*argv, **kwargs):
    """Run a load generator or a bare limit; it prints one JSON object."""
    out = subprocess.run(argv, stdout=subprocess.PIPE, **kwargs)
    if out.returncode != 0:
        raise BenchError(f"{argv[0]}: exit {out.returncode}")
    return json.loads(out.stdout) if out.stdout else {}


def timed(*argv):
    """Wall seconds of a command whose output doesn't matter."""
    start = time.monotonic()
    if subprocess.run(argv, stdout=subprocess.DEVNULL).returncode != 0:
        raise BenchError(f"{argv[0]}: failed")
    return time.monotonic() - start


def spent(*argv):
    """Wall and CPU seconds of a command and of what it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall_s = timed(*argv)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"s": wall_s, "CPU s": after.ru_utime - before.ru_utime +
            after.ru_stime - before.ru_stime}


def wait_for(condition, what, timeout_s=120, poll_s=0.002):
    """Ask until it is true; its answer."""
    end = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise BenchError(f"no {what} after {timeout_s} s")
        time.sleep(poll_s)


class Process:
    """A program that runs beside the load."""

    def __init__(self, argv, log):
        self.argv = argv
        self.log = log
        with open(log, "ab") as out:
            self.child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True)
        self.pid = self.child.pid

    def check(self):
        if self.child.poll() is not None:
            with open(self.log, errors="replace") as log:
                tail = log.read()[-500:].strip()
            raise BenchError(f"{self.argv[0]} ended with "
                             f"{self.child.returncode}: {tail}")
        return True

    def cpu_s(self):
        """CPU seconds so far, those of children that ended included."""
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return sum(int(n) for n in fields[11:15]) * TICK_S

    def status(self, key):
        with open(f"/proc/{self.pid}/status") as f:
            for line in f:
                if line.startswith(key + ":"):
                    return int(line.split()[1])
        return 0

    def resident_mb(self):
        return self.status("VmRSS") / 1024

    def wakeups(self):
        """How often its threads have gone to sleep so far."""
        count = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/status") as f:
                for line in f:
                    if line.startswith("voluntary_ctxt"):
                        count += int(line.split()[1])
        return count

    def has_fdinfo(self, prefix):
        """Does one of its descriptors show a line that begins so?"""
        base = f"/proc/{self.pid}/fdinfo"
        try:
            for fd in os.listdir(base):
                with open(f"{base}/{fd}") as f:
                    if any(line.startswith(prefix) for line in f):
                        return True
        except FileNotFoundError:
            pass
        return False

    def wait_quiet(self, quiet_s=0.5, timeout_s=180):
        """Until it has used no CPU for @quiet_s; when that began."""
        end = time.monotonic() + timeout_s
        since, cpu = time.monotonic(), self.cpu_s()
        while time.monotonic() - since < quiet_s:
            if time.monotonic() > end:
                raise BenchError(f"{self.argv[0]}: busy for {timeout_s} s")
            time.sleep(0.01)
            self.check()
            now = self.cpu_s()
            if now != cpu:
                since, cpu = time.monotonic(), now
        return since

    def stop(self, timeout_s=60):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                pass
        # Its own session: what it started ends with it.
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()
