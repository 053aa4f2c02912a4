# SPDX-License-Identifier: GPL-2.0-or-later
"""Values of repetitions in, medians, ratios and figures to reach out."""

import json
import statistics
import sys

OURS = "journalctl-backup"


class Report:
    def __init__(self, path):
        self.out = open(path, "w")
        self.values = {}  # (bench, case, who, measure) -> [value]
        self.goals = []
        self.failed = False

    def line(self, kind, **fields):
        """One line of the JSON file."""
        self.out.write(json.dumps({"type": kind, **fields}) + "\n")
        self.out.flush()

    def add(self, bench, case, who, **measures):
        """The values of one repetition."""
        self.line("run", bench=bench, case=case, who=who, values=measures)
        for name, value in measures.items():
            key = (bench, case, who, name)
            self.values.setdefault(key, []).append(value)
        shown = "  ".join(f"{k} {show(v)}" for k, v in measures.items())
        print(f"  {bench}: {case}: {who}: {shown}", file=sys.stderr)

    def median(self, bench, case, who, measure):
        values = self.values.get((bench, case, who, measure))
        if not values:
            return None
        # One loss is one too many.
        return max(values) if measure == "lost" else statistics.median(values)

    def ratio(self, bench, case, name, measure, base):
        """Everybody's median of @measure over that of @base, as @name."""
        below = self.median(bench, case, base, measure)
        for key in [k for k in self.values if k[:2] == (bench, case)]:
            if key[3] == measure and below:
                self.values[(bench, case, key[2], name)] = [
                    self.median(*key) / below]

    def goal(self, number, bench, case, measure, limit, *, least=False,
             factor_of=None):
        """A figure of P@number: our @measure is at most (@least: at least)
        @limit. @factor_of: it is a multiple; (who, times) says that who's
        median is at least so many times ours."""
        self.goals.append((number, bench, case, measure, limit, least,
                           factor_of))

    def tables(self):
        for bench in dict.fromkeys(k[0] for k in self.values):
            print(f"\n{bench}")
            for case in dict.fromkeys(
                    k[1] for k in self.values if k[0] == bench):
                self.table(bench, case)

    def table(self, bench, case):
        keys = [k for k in self.values if k[:2] == (bench, case)]
        measures = list(dict.fromkeys(k[3] for k in keys))
        rows = [[case, "n"] + measures]
        for who in dict.fromkeys(k[2] for k in keys):
            row = ["  " + who, ""]
            for measure in measures:
                row.append(self.cell(bench, case, who, measure))
                values = self.values.get((bench, case, who, measure), [])
                row[1] = str(max(len(values), int(row[1] or 0)))
            rows.append(row)
        widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
        for row in rows:
            cells = [c.rjust(w) for c, w in zip(row[1:], widths[1:])]
            print("  ".join([row[0].ljust(widths[0])] + cells).rstrip())

    def cell(self, bench, case, who, measure):
        """Median, and how many times ours it is."""
        value = self.median(bench, case, who, measure)
        if value is None:
            return ""
        ours = self.median(bench, case, OURS, measure)
        self.line("median", bench=bench, case=case, who=who,
                  measure=measure, value=value,
                  of_ours=value / ours if ours else None)
        if who == OURS or not ours or not value:
            return show(value)
        return f"{show(value)} ({value / ours:.2g}x)"

    def verdicts(self):
        """The figures to reach, each with what was measured."""
        rows = []
        for goal in self.goals:
            row = self.verdict(*goal)
            if row is not None:
                rows.append(row)
        if not rows:
            return
        print("\nFigures to reach")
        widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
        for row in rows:
            cells = [c.ljust(w) for c, w in zip(row, widths)]
            print("  ".join(cells).rstrip())

    def verdict(self, number, bench, case, measure, limit, least, factor_of):
        ours = self.median(bench, case, OURS, measure)
        if ours is None:
            return None
        text = f"{bench}, {case}: {measure}"
        if factor_of is not None:
            who = factor_of
            theirs = self.median(bench, case, who, measure)
            if theirs is None or ours == 0:
                return None
            value, least = theirs / ours, True
            text += f", {who} / ours"
        else:
            value = ours
        reached = value >= limit if least else value <= limit
        self.line("figure", number=number, text=text, value=value,
                  limit=limit, least=least, reached=reached)
        return [number, "reached" if reached else "MISSED", text, show(value),
                (">= " if least else "<= ") + show(limit)]


def show(value):
    if isinstance(value, int) or value == int(value):
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
