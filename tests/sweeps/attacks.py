"""Every attack of tests/attacks by every command that could read it, each in a process of its own.

    python tests/sweeps/attacks.py              all; prints the table of docs/security.md (10 min)
    python tests/sweeps/attacks.py NAME         those with this in their name

Time is that of the processor, memory the peak of the process (VmHWM), interpreter and imports included in both. ``run``
and ``export --golden`` hand the file to ONNX Runtime: they get ``--timeout 20``, and their time and memory are its own.
"""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

sys.path.insert(0, str(Path(__file__).parents[1] / "attacks"))  # run as a script, too

import hostile_exported
import hostile_inputs
import hostile_models
import hostile_specs
from attack import Attack, Outcome, Server, exported, folder, problems

GROUPS = {
    "specs": hostile_specs.CASES, "models": hostile_models.CASES, "exported models": hostile_exported.CASES,
    "pictures, arrays, arguments": hostile_inputs.CASES,
}  # fmt: skip


def carried_out(attack: Attack, servers: SimpleQueue[Server]) -> list[tuple[str, Outcome, list[str]]]:
    """Every command on it."""
    found = []
    server = servers.get()
    with folder(attack) as work:
        for command in attack.commands:
            runs = command.startswith("run ") or "--golden" in command
            outcome = server.outside(f"{command} --timeout 20" if runs else command, work)
            if runs:
                outcome = replace(outcome, seconds=0.0, megabytes=0.0)
            found.append((command, outcome, problems(attack, command, outcome)))
    servers.put(server)
    return found


def main() -> None:
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    rows = [
        "| against | attacks | commands | not as promised | exit codes | slowest | largest |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    wrong, large = [], []
    exported()  # before there are threads
    servers: SimpleQueue[Server] = SimpleQueue()
    servers.put(Server())
    servers.put(Server())
    for group, cases in GROUPS.items():
        names = [name for name in cases if only in name]
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(lambda name, cases=cases: carried_out(cases[name], servers), names))
        done = [(name, *result) for name, found in zip(names, results, strict=True) for result in found]
        wrong += [(name, command, problem, o.text[:300]) for name, command, o, problem in done if problem]
        large += [
            (name, command, o) for name, command, o, _ in done if cases[name].seconds > 2 or cases[name].megabytes > 512
        ]
        usual = [o for name, _, o, _ in done if cases[name].seconds <= 2 and cases[name].megabytes <= 512]
        codes = ", ".join(
            f"{code}: {count:,}" for code, count in sorted(Counter(o.code for _, _, o, _ in done).items())
        )
        slowest, largest = max((o.seconds for o in usual), default=0), max((o.megabytes for o in usual), default=0)
        failed = sum(bool(problem) for *_, problem in done)
        rows.append(
            f"| {group} | {len(names):,} | {len(done):,} | {failed} | {codes} | {slowest:.1f} s | {largest:.0f} MB |"
        )
        print(rows[-1], file=sys.stderr, flush=True)
    print("\n".join(rows))
    for name, command, o in large:
        print(f"| {name} | {command} | {o.code} | {o.seconds:.1f} s | {o.megabytes:.0f} MB |")
    for problem in wrong:
        print(*problem, sep="\n  ", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
