# SPDX-License-Identifier: GPL-2.0-or-later
"""storm.py DIR STOP SAY: change things below DIR until the file STOP exists,
as fast as one process can; SAY always holds the number of rounds so far."""
import os
import shutil
import sys

ROUNDS_PER_LOOK = 50


def once(top, i):
    """One round: a file comes, moves, grows; now and then trees do."""
    a, b = f"{top}/a", f"{top}/b"
    with open(f"{a}/{i}", "w", encoding="ascii") as f:
        f.write(str(i))
    os.rename(f"{a}/{i}", f"{b}/{i}")
    with open(f"{b}/{i - i % 3}", "a", encoding="ascii") as f:
        f.write("more")
    if i % 7 == 0 and os.path.exists(f"{b}/{i - 5}"):
        os.unlink(f"{b}/{i - 5}")
    if i % 20 == 0:
        os.makedirs(f"{top}/d{i}/e/f")
        with open(f"{top}/d{i}/e/f/g", "w", encoding="ascii") as f:
            f.write(str(i))
    if i % 60 == 0:
        shutil.rmtree(f"{top}/d{i - 20}")
    if i % 100 == 0:  # what lies deep changes its place
        os.rename(b, f"{top}/c")
        os.rename(a, f"{top}/c/a")
        os.rename(f"{top}/c", a)
        os.rename(f"{a}/a", b)


def main():
    """Until told to stop."""
    top, stop, say = sys.argv[1:]
    os.makedirs(f"{top}/a")
    os.makedirs(f"{top}/b")
    i = 0
    while i % ROUNDS_PER_LOOK or not os.path.exists(stop):
        i += 1
        once(top, i)
        if i % ROUNDS_PER_LOOK == 0:
            with open(f"{say}.new", "w", encoding="ascii") as f:
                f.write(f"{i}\n")
            os.rename(f"{say}.new", say)


main()
