"""A small index in a folder of its own that can be copied, changed and compared: what the kill suite kills things in."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import yaml

from relance.index import Index

__all__ = ["BUCKET", "IN_FLIGHT", "World"]

BUCKET = "chaos"
WORDS = "river gauge flood satellite sensor battery antenna ferry bridge lock weir basin spring delta storm".split()
DOCUMENTS, PICTURES = 36, 8
BATCH_TEXTS, CONCURRENCY = 8, 4
IN_FLIGHT = BATCH_TEXTS * CONCURRENCY
KEY = "sk-of-the-emulator"
# By reference, as what goes to worker processes has to be.
KEYS = {"aws_access_key_id": "${CHAOS_KEY_ID}", "aws_secret_access_key": "${CHAOS_KEY}"}


@dataclass(frozen=True, kw_only=True)
class World:
    """Sources, spec and store of an index.

    Attributes:
        kind: `plain`, `batch` (texts by a batch API) or `media` (pictures beside the texts).
        emulator: of DashScope.
        s3: how its bucket is reached; empty for a store in the folder.
        dimension: of the model.
        seed: what the documents say.
    """

    folder: Path
    kind: str
    emulator: str
    seed: int
    s3: Mapping[str, str] = field(default_factory=dict)
    dimension: int = 64

    def fill(self) -> None:
        """Write the documents, and pictures if there are media."""
        rng = random.Random(self.seed)
        for number in range(DOCUMENTS):
            self._write(f"{number % 4}/{number}.md", rng)
        if self.kind == "media":
            self._paint(rng)
        self.declare()

    def declare(self) -> None:
        """Write the spec."""
        model: dict[str, Any] = {"model": "fake/hash", "dimension": self.dimension, "batch_texts": BATCH_TEXTS,
                                 "max_concurrency": CONCURRENCY}  # fmt: skip
        dashscope = {"base_url": f"{self.emulator}/api/v1", "api_key": KEY, "requests_per_minute": 1_000_000,
                     "tokens_per_minute": 1_000_000_000}  # fmt: skip
        if self.kind == "batch":
            model = {"model": "dashscope/text-embedding-v4", "base_url": self.emulator, "api_key": KEY, "dimension": 64,
                     "mode": "batch"}  # fmt: skip
        source: dict[str, Any] = {"type": "files", "root": "docs"}
        spec: dict[str, Any] = {
            "name": "chaos",
            "sources": [source],
            "chunking": {"max_tokens": 24},
            "embedding": model,
            "limits": {"batch_documents": 6},
            "store": {"uri": f"s3://{BUCKET}/{self.folder.name}", "storage_options": dict(self.s3) | KEYS} if self.s3
            else {"uri": "db"},
        }  # fmt: skip
        if self.kind == "media":
            source["rows"] = {"url": "url", "caption": "caption"}
            spec["media"] = {"embedding": {"model": "dashscope/tongyi-embedding-vision-plus", **dashscope}}
        self.spec.parent.mkdir(parents=True, exist_ok=True)
        self.spec.write_text(yaml.safe_dump(spec), encoding="utf-8")

    @property
    def spec(self) -> Path:
        """The file of the spec."""
        return self.folder / "index.yaml"

    def copy(self, folder: Path, **changed: Any) -> World:
        """Copy everything, the store included."""
        shutil.copytree(self.folder, folder)
        copy = replace(self, folder=folder, **changed)
        if self.s3:
            with _s3(self.s3) as bucket:
                for each in bucket.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.folder.name}/").get("Contents", []):
                    target = folder.name + each["Key"].removeprefix(self.folder.name)
                    bucket.copy_object(Bucket=BUCKET, Key=target, CopySource={"Bucket": BUCKET, "Key": each["Key"]})
        copy.declare()
        return copy

    def remove(self) -> None:
        """Delete everything."""
        for _ in range(50):  # what the killed one had started may still write for a moment
            shutil.rmtree(self.folder, ignore_errors=True)
            if not self.folder.exists():
                break
            time.sleep(0.1)
        if self.s3:
            with _s3(self.s3) as bucket:
                for each in bucket.list_objects_v2(Bucket=BUCKET, Prefix=f"{self.folder.name}/").get("Contents", []):
                    bucket.delete_object(Bucket=BUCKET, Key=each["Key"])

    # -- what happens to the sources -----------------------------------------------------------------------------

    def edit(self, seed: int) -> None:
        """Change, remove and add documents, and pictures."""
        rng = random.Random(seed)
        paths = sorted((self.folder / "docs").rglob("*.md"))
        for path in rng.sample(paths, 14):
            self._write(str(path.relative_to(self.folder / "docs")), rng)
        for path in rng.sample(paths, 3):
            path.unlink()
        for number in range(3):
            self._write(f"new/{seed}-{number}.md", rng)
        if self.kind == "media":
            self._paint(rng)

    def rename(self, seed: int) -> None:
        """Move documents: what they say was bought."""
        rng = random.Random(seed)
        for path in rng.sample(sorted((self.folder / "docs").rglob("*.md")), 9):
            path.rename(path.with_name(f"moved-{path.name}"))

    def hurt(self) -> None:
        """Delete a row and write another one twice, as somebody may with plain LanceDB."""
        table = Index(self.spec).table()
        first, second = table.search().select(["id"]).limit(2).to_list()
        table.delete(f"id = '{first['id']}'")
        table.add(table.search().where(f"id = '{second['id']}'").limit(1).to_arrow())

    def _write(self, name: str, rng: random.Random) -> None:
        parts = [
            " ".join(rng.choice(WORDS) + str(rng.randrange(400)) for _ in range(20)) + "."
            for _ in range(rng.randrange(3, 8))
        ]
        path = self.folder / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# The river\n\n" + "\n\n".join(parts) + "\n", encoding="utf-8")

    def _paint(self, rng: random.Random) -> None:
        from PIL import Image

        folder, rows = self.folder / "docs" / "pictures", ["id,url,caption"]
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(PICTURES):
            colour = tuple(rng.randrange(256) for _ in range(3))
            Image.new("RGB", (24, 16), colour).save(folder / f"{number}.png")
            rows.append(f"{number},pictures/{number}.png,a river {rng.randrange(1000)}")
        (self.folder / "docs" / "pictures.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")

    # -- what there is -------------------------------------------------------------------------------------------

    def rows(self) -> list[list[dict[str, Any]]]:
        """Return the rows of the tables, with vectors; `OverflowError` and the like if they cannot be right."""
        from rows import rows

        index = Index(self.spec)
        found = [rows(index, vectors=True)]
        if self.kind == "media":
            table = index.table(media=True).to_arrow()
            assert all(table["active"].to_pylist()), "tombstones among the media"
            media = table.drop_columns(["run_id", "updated_at", "metadata"]).to_pylist()
            found.append(sorted(media, key=lambda row: row["id"]))
        return found

    @property
    def log(self) -> Path:
        """What the fake model is asked for."""
        return self.folder / "bought.jsonl"

    def bought(self) -> int:
        """Count the texts and pictures that were bought since `forget`."""
        if self.kind == "plain":
            lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
            # A kill may cut the line that is being written, and the next one follows on it: it was never answered.
            requests = [json.loads(line[line.rindex('{"time": ') :]) for line in lines]
            return sum(len(each["texts"]) for each in requests if each["input_type"] == "document")
        with httpx.Client(trust_env=False) as control:
            stats = control.get(f"{self.emulator}/_emulator/stats").json()["texts"]
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return stats + sum(len(json.loads(line[line.rindex('{"time": ') :])["texts"]) for line in lines)

    def forget(self) -> None:
        """Count from here on what is bought."""
        self.log.unlink(missing_ok=True)
        if self.kind != "plain":
            with httpx.Client(trust_env=False) as control:
                control.post(f"{self.emulator}/_emulator/reset").raise_for_status()


def _s3(options: Mapping[str, str]) -> Any:
    from contextlib import closing

    import boto3

    keys = ("aws_access_key_id", "aws_secret_access_key")
    return closing(boto3.client("s3", endpoint_url=options["endpoint"], region_name=options["region"],
                                **{key: options[key] for key in keys}))  # fmt: skip
