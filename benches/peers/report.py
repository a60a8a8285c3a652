"""Writes the tables and the chart of `scripts/bench`: report.py DATA RESULTS makes RESULTS.md and RESULTS.svg."""

import json
import platform
import subprocess
import sys
import tomllib
from collections import defaultdict
from datetime import date
from html import escape
from pathlib import Path
from statistics import median, quantiles
from textwrap import wrap

ALGORITHMS = ["HS256", "RS256", "ES256", "EdDSA"]
BARE, FLOOR, CACHED_FLOOR = "bare signature check", "floor of a layer", "floor of a cached hit"
OURS, HIT, NO_LAYER = "this crate", "this crate, cache hit", "no layer"
HIT_NOW = "this crate, verify_now, cache hit"
GROUPS = ["limit", "this crate", "peer"]

data, results = Path(sys.argv[1]), Path(sys.argv[2])


def lines(name):
    file = data / name
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def rows(name):
    return [line.split("\t") for line in (data / name).read_text().splitlines()]


def quartiles(values):
    return quantiles(values, n=4) if len(values) > 1 else values * 3


def spread(ones, others):
    """Lower quartile, median and upper quartile of the ratios, round by round."""
    return quartiles([one / other for one, other in zip(ones, others)]) if ones and others else None


class Times:
    """The rounds of one algorithm in one scenario, of all processes."""

    def __init__(self, processes):
        series = processes[0]["series"]
        self.discarded = sum(line["discarded"] for line in processes)
        self.bytes = processes[0]["token bytes"]
        self.ns = {one["name"]: [] for one in series}
        for line in processes:
            for one in line["series"]:
                self.ns[one["name"]] += one["ns"]
        self.group = {one["name"]: one["group"] for one in series}
        self.own_bytes = {one["name"]: one["own bytes"] for one in series}
        self.kept = len(self.ns[series[0]["name"]])

    def spread(self, name, base):
        return spread(self.ns.get(name), self.ns.get(base))

    def ratio(self, name, base):
        spread = self.spread(name, base)
        return spread and spread[1]

    def difference(self, name, base):
        """The median of the differences, in nanoseconds."""
        if name not in self.ns or base not in self.ns:
            return None
        return median(one - other for one, other in zip(self.ns[name], self.ns[base]))

    def fastest_peer(self):
        peers = [name for name, group in self.group.items() if group == "peer"]
        return min(peers, key=lambda name: median(self.ns[name]))


def all_times(name):
    processes = defaultdict(list)
    for line in lines(name):
        processes[line["algorithm"], line["scenario"]].append(line)
    return {column: Times(of_column) for column, of_column in processes.items()}


times, tables = all_times("time.jsonl"), all_times("tables.jsonl")
allocations = {(x["algorithm"], x["scenario"], x["name"]): x["allocations"] for x in lines("allocations.jsonl")}
instructions = {(scenario, name): int(count) for scenario, name, count in rows("instructions.tsv")}
growth = next(iter(all_times("growth.jsonl").values()), None)
rounds_of_threads = defaultdict(list)
for one in lines("threads.jsonl"):
    rounds_of_threads[one["name"]] += one["two threads"]
threads = {name: quartiles(found) for name, found in rounds_of_threads.items() if found}
loopback = defaultdict(list)
for algorithm, name, micros in rows("loopback.tsv"):
    loopback[algorithm, name].append(float(micros))

valid = {algorithm: times[algorithm, "valid"] for algorithm in ALGORITHMS}
forged = {algorithm: times[algorithm, "forged"] for algorithm in ALGORITHMS}
missing = times["RS256", "no token"]


def number(value):
    """With as many digits as mean something."""
    if value is None:
        return "–"
    digits = 0 if value >= 100 else 1 if value >= 20 else 2 if value >= 0.1 else 3
    return f"{value:.{digits}f}"


def with_quartiles(spread):
    return f"{number(spread[1])} ({number(spread[0])} to {number(spread[2])})" if spread else "–"


def count(value):
    return "–" if value is None else f"{value:g}" if value == round(value) else f"{value:.1f}"


def names(*columns):
    """All contenders, limits first and peers last, each group by the ratio in the first column that has it."""
    found = {}
    for at, one in enumerate(columns):
        base = next(iter(one.ns))
        for name, group in one.group.items():
            found.setdefault(name, (GROUPS.index(group), at, one.ratio(name, base)))
    return sorted(found, key=found.get)


def table(header, body):
    yield "| " + " | ".join(header) + " |"
    yield "|---|" + "---:|" * (len(header) - 1)
    for row in body:
        yield "| " + " | ".join(row) + " |"
    yield ""


def bold(name):
    return f"**{name}**" if name.startswith(OURS) else name


def per_bare(scenario, name):
    counted = instructions.get((scenario, name))
    return number(counted / instructions["valid", BARE]) if counted else "–"


def accepted():
    for name in names(*valid.values()):
        spreads = [with_quartiles(valid[algorithm].spread(name, BARE)) for algorithm in ALGORITHMS]
        # Not every contender can do HS256.
        counted = next((n for a in ALGORITHMS if (n := allocations.get((a, "valid", name))) is not None), None)
        yield [bold(name), *spreads, per_bare("valid", name), count(counted)]


def refused():
    for name in names(missing, *forged.values()):
        spreads = [with_quartiles(forged[algorithm].spread(name, BARE)) for algorithm in ALGORITHMS]
        no_token = instructions.get(("no token", name))
        yield [
            bold(name),
            with_quartiles(missing.spread(name, FLOOR)),
            number(no_token / instructions["no token", FLOOR]) if no_token else "–",
            count(allocations.get(("RS256", "no token", name))),
            *spreads,
        ]


def faster():
    for algorithm in ALGORITHMS:
        times = valid[algorithm]
        peer = times.fastest_peer()
        cells = [with_quartiles(times.spread(peer, name)) for name in (OURS, "this crate, nine typed claims", HIT)]
        yield [algorithm, peer, *cells]


def over_loopback():
    found = dict.fromkeys(name for _, name in loopback)

    def cell(algorithm, name):
        return with_quartiles(spread(loopback.get((algorithm, name)), loopback[algorithm, NO_LAYER]))

    for name in sorted(found, key=lambda name: median(loopback["HS256", name])):
        yield [bold(name), cell("HS256", name), cell("RS256", name)]


def between(few, many):
    """The time of one further claim, in nanoseconds."""
    difference = growth and growth.difference(f"{many} claims", f"{few} claims")
    return difference and difference / (int(many) - int(few))


def ratio_of(pair):
    return pair[0] / pair[1] if all(pair) else None


def hostile():
    return [name for name in (growth.ns if growth else []) if name.startswith("hostile")]


def per_byte(name):
    return median(growth.ns[name]) / growth.own_bytes[name]


def growing():
    for name in growth.ns if growth else []:
        bytes_of_own = growth.own_bytes[name]
        in_nanoseconds = per_byte(name) if name.startswith("hostile") else None
        yield [name, number(bytes_of_own), with_quartiles(growth.spread(name, BARE)), number(in_nanoseconds)]


def budget():
    """What, the limit (negative: at least that much), and the figure (None: not measured)."""
    hs256 = valid["HS256"]

    def in_micros(nanoseconds):
        return nanoseconds and nanoseconds / 1000

    for algorithm, limit in zip(ALGORITHMS, [3.4, 1.09, 1.03, 1.04]):
        yield f"{algorithm}, ratio to the bare check", limit, valid[algorithm].ratio(OURS, BARE)
    more = hs256.difference("this crate, IssuerSet", OURS)
    yield "HS256, `IssuerSet`, more than one verifier, in µs", 0.15, in_micros(more)
    for algorithm, limit in ("ES256", 0.80), ("EdDSA", 0.60):
        one = tables.get((algorithm, "valid"))
        yield f"{algorithm} with tables, ratio to the bare check", limit, one and one.ratio("this crate, tables", BARE)
    for algorithm, limit in zip(ALGORITHMS, [-1.65, -1.25, -1.0, -1.0]):
        one = valid[algorithm]
        yield f"{algorithm}, times faster than the fastest peer", limit, one.ratio(one.fastest_peer(), OURS)

    yield "no token, ratio to the floor", 1.8, missing.ratio(OURS, FLOOR)
    both = [one.ratio(OURS, BARE) for one in (forged["HS256"], hs256)]
    yield "HS256, forged, ratio to an accepted token", 1.0, both[0] / both[1]
    for algorithm in ALGORITHMS[1:]:
        yield f"{algorithm}, forged, ratio to the bare check", 1.04, forged[algorithm].ratio(OURS, BARE)

    for algorithm in ALGORITHMS:
        ratio = valid[algorithm].ratio(HIT, CACHED_FLOOR)
        yield f"{algorithm}, cache hit, ratio to the floor of a cached hit", 1.10, ratio
    hit = hs256.difference(HIT, NO_LAYER)
    yield "HS256, cache hit, more than no layer, in µs", 0.20, in_micros(hit)
    yield "HS256, `verify_now`, cache hit, in µs", 0.12, in_micros(median(hs256.ns[HIT_NOW]))
    for algorithm, limit in zip(ALGORITHMS, [-9, -65, -170, -115]):
        one = valid[algorithm]
        ratio = one.ratio(one.fastest_peer(), HIT)
        yield f"{algorithm}, cache hit, times faster than the fastest peer", limit, ratio

    for what, name, limit in ("", OURS, 9), (", cache hit", HIT, 3), (", `verify_now`, cache hit", HIT_NOW, 0):
        yield f"allocations{what}", limit, allocations.get(("HS256", "valid", name))
    for algorithm in "HS256", "RS256":
        speed = spread(loopback[algorithm, NO_LAYER], loopback.get((algorithm, HIT)))
        yield f"{algorithm} over loopback, cache hits, speed relative to no authentication", -0.9, speed and speed[1]
    per_claim = [between(*counts) for counts in (("9", "109"), ("109", "409"))]
    yield "claims, time of each from 109 to 409, ratio to 9 to 109", 1.25, ratio_of(per_claim[::-1])
    full = growth and growth.ratio("cache hit, full cache", "cache hit, 1 token")
    yield "10,000 cached tokens, a hit's ratio to one cached token", 1.05, full
    for name in hostile():
        yield f"{name}, ns for each byte", 1.5, per_byte(name)
    for many, base, few in ("keys", OURS, "1 key"), ("issuers", "this crate, IssuerSet", "2 issuers"):
        yield f"1,000 {many}, ratio to {few}", 1.05, hs256.ratio(f"this crate, 1,000 {many}", base)
    yield "two threads, speed relative to one", -1.8, threads.get(OURS) and threads[OURS][1]
    yield "two threads, cache hits of different tokens, speed relative to one", -1.8, threads.get(HIT) and threads[HIT][1]


def budget_rows():
    for what, limit, value in budget():
        at_least, limit = limit < 0, abs(limit)
        if value is None:
            verdict = "not measured"
        elif value >= limit if at_least else value <= limit:
            verdict = "yes"
        else:
            missed = abs(value / limit - 1) if limit else value
            verdict = f"**no**, by {missed:.1%}"
        yield [what, f"{'≥' if at_least else '≤'} {limit:g}", number(value) if value else count(value), verdict]


def versions():
    """The dependencies of benches/peers with an exact version, and what FastAPI's server is made of."""
    manifest = tomllib.loads(Path("benches/peers/Cargo.toml").read_text())
    for name, wanted in manifest["dependencies"].items():
        wanted = wanted if isinstance(wanted, dict) else {"version": wanted}
        if wanted.get("version", "").startswith("="):
            yield f"{wanted.get('package', name)} {wanted['version'].removeprefix('=')}"
    for line in Path("benches/peers/fastapi/requirements.txt").read_text().splitlines():
        yield line.replace("==", " ")


def noise():
    kept = [one.kept for one in (*times.values(), *tables.values())]
    discarded = sum(one.discarded for one in (*times.values(), *tables.values()))
    rounds = min(kept) if min(kept) == max(kept) else f"{min(kept)} to {max(kept)}"
    text = f"Each column is made of {rounds} rounds; {discarded} of {sum(kept) + discarded} were discarded"
    # A median of few rounds, or of a third of them, is a figure of the noise.
    if discarded > sum(kept) / 2 or min(kept) < 20:
        text += ". **The machine was not quiet: these figures are not to be trusted**"
    return text


def command_output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def paragraph(text):
    return wrap(text, 120, break_on_hyphens=False, break_long_words=False)


def document():
    yield "# Results"
    yield ""
    rustc, valgrind = command_output("rustc", "-V"), command_output("valgrind", "--version")
    shortest, *_, longest = sorted(one.bytes for one in valid.values())
    yield from paragraph(
        f"Made by `scripts/bench` on {date.today()}, with {rustc} and {valgrind}, on {platform.machine()}. "
        f"The tokens have nine claims and {shortest} to {longest} bytes. {noise()}. "
        "[What is measured, and how](README.md)."
    )
    yield ""
    yield f"![Time of an accepted request]({results.name}.svg)"
    yield ""
    yield "## A valid token"
    yield ""
    yield "Time, as a multiple of the bare signature check: median and quartiles. Instructions: HS256, as a multiple of"
    yield "the bare check. Allocations: per request."
    yield ""
    yield from table(["", *ALGORITHMS, "instructions", "allocations"], accepted())
    if tables:
        yield "With tables for the key, in a build and a run of their own:"
        yield ""
        body = (
            [bold(name), *(with_quartiles(tables[a, "valid"].spread(name, BARE)) for a in ("ES256", "EdDSA"))]
            for name in names(*(tables[a, "valid"] for a in ("ES256", "EdDSA")))
        )
        yield from table(["", "ES256", "EdDSA"], body)
    yield "## How many times faster than the fastest peer"
    yield ""
    yield from table(["", "fastest peer", OURS, "nine typed claims", "cache hit"], faster())
    yield "## A request that is refused"
    yield ""
    yield "No token: time and instructions as a multiple of the floor, and allocations. A forged signature: time as a"
    yield "multiple of the bare check."
    yield ""
    header = ["", "no token", "instructions", "allocations", *(f"{a}, forged" for a in ALGORITHMS)]
    yield from table(header, refused())
    yield "## Over loopback"
    yield ""
    yield "CPU time of the server per request, as a multiple of the same axum server without authentication in the same"
    yield "round: median and quartiles."
    yield ""
    yield from table(["", "HS256", "RS256"], over_loopback())
    yield "## Growth"
    yield ""
    yield from paragraph(
        "Time of this crate with HS256, as a multiple of the bare check of a token of nine claims, and in nanoseconds for "
        "each byte of the header `Authorization`. A hostile client has no valid token; each row is about as long as its "
        "limit allows. In turn: 999 tokens, one after the other, of one key, of ten or of a key each, and of one of two "
        "issuers or of an issuer each."
    )
    yield ""
    yield from table(["", "bytes", "time", "ns for each byte"], growing())
    yield "## Two threads"
    yield ""
    yield from paragraph(
        "How much more two threads do than one, with HS256 and tokens of their own: by the CPU time of the threads. "
        "For the bare check, each thread has a key of its own. A round in which its two threads did not do "
        "about twice as much (1.9 to 2.1) was disturbed, and is repeated."
    )
    yield ""
    yield from table(["", "two threads"], [[name, with_quartiles(threads.get(name))] for name in (BARE, OURS, HIT)])
    yield "## The budget"
    yield ""
    yield from table(["", "budget", "measured", "holds"], budget_rows())
    yield "## Versions"
    yield ""
    yield from paragraph(", ".join(versions()) + ".")


PANELS = ["HS256", "RS256"]
ROW, BAR, LEFT, WIDTH, RIGHT = 24, 14, 280, 340, 60
STYLE = """
svg { color-scheme: light dark; font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; }
.back { fill: #ffffff; } text { fill: #1f2328; } .note { fill: #59636e; } .line { stroke: #818b98; }
.limit { fill: #b6bfc9; } .crate { fill: #0969da; } .peer { fill: #d4a72c; }
.title { font-weight: 600; font-size: 15px; } .own { font-weight: 600; }
@media (prefers-color-scheme: dark) {
.back { fill: #0d1117; } text { fill: #e6edf3; } .note { fill: #9198a1; } .line { stroke: #656c76; }
.limit { fill: #4c5561; } .crate { fill: #4493f8; } .peer { fill: #ae7c14; } }
"""
SHOWN = {FLOOR, CACHED_FLOOR, OURS, "this crate, nine typed claims", "this crate, IssuerSet", HIT}


def chart():
    """Horizontal bars; the vertical line is the signature check, which no layer without a cache can do without."""
    height, parts = 72, []
    full = LEFT + WIDTH + RIGHT
    for x, kind, label in (16, "crate", "this crate"), (118, "peer", "another layer"), (238, "limit", "a limit"):
        parts.append(
            f'<rect class="{kind}" x="{x}" y="43" width="{BAR}" height="{BAR}" rx="2"/>'
            f'<text class="note" x="{x + BAR + 6}" y="55">{label}</text>'
        )
    for algorithm in PANELS:
        one = valid[algorithm]
        shown = [name for name, group in one.group.items() if group == "peer" or name in SHOWN]
        shown.sort(key=lambda name: one.ratio(name, BARE))
        scale = WIDTH / max(one.ratio(name, BARE) for name in shown)
        parts.append(f'<text class="own" x="16" y="{height + 14}">{algorithm}</text>')
        height += 24
        top = height
        for name in shown:
            ratio = one.ratio(name, BARE)
            # Not across the dashed line.
            after = scale if scale - 40 < ratio * scale < scale else ratio * scale
            kind = "crate" if name.startswith(OURS) else one.group[name]
            label = "own" if kind == "crate" else ""
            middle = height + ROW / 2
            parts.append(
                f'<text class="{label}" x="{LEFT - 8}" y="{middle + 4}" text-anchor="end">{escape(name)}</text>'
                f'<rect class="{kind}" x="{LEFT}" y="{middle - BAR / 2}" width="{max(ratio * scale, 1):.1f}" '
                f'height="{BAR}" rx="2"/>'
                f'<text class="note" x="{LEFT + after + 6:.1f}" y="{middle + 4}">{number(ratio)}</text>'
            )
            height += ROW
        parts.append(f'<path class="line" stroke-dasharray="3 3" d="M{LEFT + scale:.1f} {top}V{height}"/>')
        height += 16
    note = "The dashed line is the signature check alone, by aws-lc-rs. Less is better."
    parts.append(f'<text class="note" x="16" y="{height + 8}">{note}</text>')
    height += 24
    title = "Time of an accepted request, in signature checks"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full} {height}" width="{full}" height="{height}" '
        f'role="img" aria-label="{title}"><title>{title}</title><style>{STYLE}</style>'
        f'<rect class="back" width="{full}" height="{height}" rx="6"/>'
        f'<text class="title" x="16" y="28">{title}</text>\n' + "\n".join(parts) + "\n</svg>\n"
    )


results.with_suffix(".md").write_text("\n".join(document()) + "\n")
results.with_suffix(".svg").write_text(chart())
print(f"{results}.md, {results}.svg")
print()
print("\n".join(table(["budget", "", "measured", "holds"], budget_rows())))
