"""The draw, written again from its description: reads the four files, prints the fifth.

    python3 oracle.py FOLDER
"""

import hashlib
import pathlib
import sys
import uuid


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def merkle(leaves):
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return sha256(b"\0", leaves[0])
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\1", merkle(leaves[:half]), merkle(leaves[half:]))


def lines(name):
    return (folder / name).read_text().splitlines()


folder = pathlib.Path(sys.argv[1])
commitment = (folder / "commitment.txt").read_bytes()
form = commitment.splitlines()[0]
says = dict(line.split(" ", 1) for line in commitment.decode().splitlines()[1:])
assert (form, "salt" in says) in ((b"onscene draw 2", True), (b"onscene draw 1", False))
cases, supervisors = lines("list.txt"), lines("supervisors.txt")
assert says["list"] == merkle([line.encode() for line in cases]).hex()
assert says["supervisors"] == merkle([line.encode() for line in supervisors]).hex()
assert says["cases"] == str(len(cases))
share, per_unit, at_most = map(int, says["rules"].split())
seed = bytes.fromhex((folder / "seed.txt").read_text().strip())

tickets = []
for line in cases:
    case, unit, kind = line.split()
    ticket = sha256(
        form + b"\0",
        sha256(commitment),
        bytes.fromhex(says.get("salt", "")),
        bytes([len(seed)]),
        seed,
        uuid.UUID(case).bytes,
    )
    tickets.append((ticket, case, unit, kind))
tickets.sort()
taken = set()


def take(one):
    if len(taken) < at_most:
        taken.add(one)


first = []
for unit in {one[2] for one in tickets}:
    first += [one for one in tickets if one[2] == unit][:per_unit]
for one in sorted(first):
    take(one)
missing = {one[3] for one in tickets} - {one[3] for one in taken}
for one in sorted(min(one for one in tickets if one[3] == kind) for kind in missing):
    take(one)
more = []
for unit, kind in {one[2:] for one in tickets}:
    stratum = [one for one in tickets if one[2:] == (unit, kind)]
    already = [one for one in stratum if one in taken]
    free = [one for one in stratum if one not in taken]
    more += free[: max(0, len(stratum) * share // 1_000_000 - len(already))]
for one in sorted(more):
    take(one)
for one in [one for one in tickets if one not in taken]:
    if len(taken) < -(-len(tickets) * share // 1_000_000):
        take(one)

load = {}
for ticket, case, unit, _ in sorted(taken):
    able = [line.split()[0] for line in supervisors if line.split()[1] != unit]
    person = min(
        able,
        key=lambda one: (
            load.get(one, 0),
            sha256(b"onscene recheck 1\0", ticket, uuid.UUID(one).bytes),
        ),
        default="nobody",
    )
    load[person] = load.get(person, 0) + 1
    print(case, ticket.hex(), person)
