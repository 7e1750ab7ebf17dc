"""Kills anywhere, and power that goes: after each, the next run makes the index what an undisturbed one is.

    uv run python -m tests.chaos.kills --kills 1000 --seed 1 [--actions edit,media] [--ways loss] [--stores s3]

prints what went wrong, and a table; with `--log FILE`, a line for each kill goes into a file, and the table is of all that
are in it: several processes with other seeds can share one. The indexes are in memory where there is `/dev/shm`. What kill number N does follows from seed and N alone (`--first N --kills 1` does it
again), but for the moment it hits, which is a share of the time that the action takes on this machine.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from unittest.mock import patch

from tests.chaos.kill import ACTIONS, STORES, WAYS, Kill, Kills, Outcome
from tests.chaos.world import BUCKET

__all__ = ["read", "services", "table"]

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@contextmanager
def services() -> Generator[tuple[str, dict[str, str]]]:
    """Serve DashScope and S3 on loopback; yields the address of one and the storage options of the other."""
    import boto3
    from moto.server import ThreadedMotoServer

    from relance_emulator import EmulatorConfig, running

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with ExitStack() as exits:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        exits.callback(server.stop)
        host, port = server.get_host_and_port()
        options = {"endpoint": f"http://{host}:{port}", "allow_http": "true", "region": "us-east-1",
                   "aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}  # fmt: skip
        client = boto3.client("s3", endpoint_url=options["endpoint"], region_name="us-east-1",
                              aws_access_key_id="nobody", aws_secret_access_key="nothing")  # fmt: skip
        client.create_bucket(Bucket=BUCKET)
        keys = {"CHAOS_KEY_ID": options["aws_access_key_id"], "CHAOS_KEY": options["aws_secret_access_key"]}
        exits.enter_context(patch.dict(os.environ, keys))
        client.close()
        yield exits.enter_context(running(EmulatorConfig(vectors="hash", batch_s=0.3))), options


def read(log: Path) -> list[Outcome]:
    """Read what is in a log."""
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [Outcome(Kill(**row.pop("kill")), **row) for row in rows]


def table(outcomes: list[Outcome]) -> str:
    """Lay out what happened, by action and way."""
    lines = [
        f"{'action':10} {'way':5} {'kills':>6} {'missed':>7} {'torn':>6} {'wrong':>6} {'again, most':>12} {'all':>6}"
    ]
    groups: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    for each in outcomes:
        groups[each.kill.action, each.kill.way].append(each)
    for (action, way), found in sorted(groups.items()):
        hits = [each for each in found if each.hit]
        again = [max(each.again, 0) for each in hits]
        lines.append(f"{action:10} {way:5} {len(hits):6} {len(found) - len(hits):7} {sum(len(each.damaged) for each in found):6} "
            f"{sum(bool(each.wrong) for each in found):6} "
                     f"{max(again, default=0):12} {sum(again):6}")  # fmt: skip
    hits = sum(each.hit for each in outcomes)
    torn, wrong = sum(len(each.damaged) for each in outcomes), sum(bool(each.wrong) for each in outcomes)
    lines.append(f"{'':16} {hits:6} {len(outcomes) - hits:7} {torn:6} {wrong:6}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {"kills": 100, "seed": 1, "first": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    for name, values in {"actions": ACTIONS, "ways": WAYS, "stores": STORES}.items():
        parser.add_argument(f"--{name}", type=lambda text: text.split(","), default=values)
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--log", type=Path, default=None)
    given = parser.parse_args()
    sys.path.append(str(Path(__file__).parents[1] / "fixtures"))
    outcomes: list[Outcome] = []
    tempfile.gettempdir()  # remembered, before the environment names the folder of an index that will be removed
    ends = time.monotonic() + given.minutes * 60
    with services() as (emulator, s3), tempfile.TemporaryDirectory(prefix="relance-kills-", dir=MEMORY) as folder:
        kills = Kills(Path(folder), emulator, s3)
        try:
            for number in range(given.first, given.first + given.kills):
                if time.monotonic() > ends:
                    break
                outcome = kills.run(Kill.of(number, given.seed, given.actions, given.ways, given.stores))
                outcomes.append(outcome)
                if given.log is not None:
                    with given.log.open("a", encoding="utf-8") as log:
                        log.write(json.dumps(asdict(outcome)) + "\n")
                if outcome.wrong:
                    sys.stdout.write(
                        f"{outcome.kill}\n  damaged {outcome.damaged}\n  " + "\n  ".join(outcome.wrong) + "\n"
                    )
                    sys.stdout.flush()
        finally:
            kills.close()
            sys.stdout.write(table(outcomes if given.log is None else read(given.log)) + "\n")
    sys.exit(any(each.wrong for each in outcomes))


if __name__ == "__main__":
    main()
