# SPDX-License-Identifier: GPL-2.0-or-later
"""judge.py JOURNAL TREE SINCE NAME: exit 0 if catalog and tree hold the same names,
and the changes after SINCE, played over nothing but the root, end in NAME (made
since then) and what is in it."""
import os
import sqlite3
import stat
import sys

KINDS = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l"}


def walk(top):
    """What is there: {path: (kind, size of files)}."""
    found = {}
    for here, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(here, name)
            st = os.lstat(path)
            kind = KINDS.get(stat.S_IFMT(st.st_mode), "?")
            found[os.path.relpath(path, top)] = (
                kind, st.st_size if kind == "f" else 0)
    return found


def read_catalog(db):
    """The same from table `entry`."""
    below, found = {}, {}
    todo = []
    for parent, name, key, mode, size in db.execute(
            "SELECT parent, name, dirkey, mode, size FROM entry WHERE det = 0"):
        if parent == 0:
            todo.append((key, ""))
        else:
            below.setdefault(parent, []).append((name, key, mode, size))
    while todo:
        top, path = todo.pop()
        for name, key, mode, size in below.get(top, []):
            here = path + os.fsdecode(name)
            kind = KINDS.get(stat.S_IFMT(mode), "?")
            found[here] = (kind, size if kind == "f" else 0)
            if key:
                todo.append((key, here + "/"))
    return found


def replay(db, since):
    """Names that were made since, by the journal's rows alone."""
    at, made = {}, set()
    for kind, ino, birth, dino, dbirth, name in db.execute(
            "SELECT c.kind, c.ino, c.birth, p.ino, p.birth, c.name FROM change"
            " c JOIN place p ON p.id = c.place WHERE c.seq > ? ORDER BY c.seq",
            (since,)):
        who = (ino, birth)
        if kind == 1:
            made.add(who)
        if kind in (1, 4):
            at[who] = ((dino, dbirth), os.fsdecode(name))
        elif kind == 5 and at.get(who) == ((dino, dbirth), os.fsdecode(name)):
            del at[who]
    root = db.execute("SELECT ino, birth FROM entry WHERE parent = 0").fetchone()
    names = set()
    for who in made & at.keys():
        parts = []
        while who in at:
            who, name = at[who]
            parts.append(name)
        if who == root:
            names.add("/".join(reversed(parts)))
    return names


def main():
    """Compare, and say the first differences."""
    journal, top, since, name = sys.argv[1:]
    db = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    live, catalog = walk(top), read_catalog(db)
    played = replay(db, int(since))
    made = {p for p in live if p.split("/")[0] == name}
    wrong = {f"catalog: {p}: {catalog.get(p)}, there: {live.get(p)}"
             for p in live.keys() | catalog.keys()
             if live.get(p) != catalog.get(p)}
    wrong |= {f"not in the journal: {p}" for p in made - played}
    wrong |= {f"only in the journal: {p}" for p in played - live.keys()}
    for line in sorted(wrong)[:20]:
        print(line)
    print(f"{len(live)} names, {len(played)} of them by replay,"
          f" {len(wrong)} differences")
    return 1 if wrong else 0


sys.exit(main())
