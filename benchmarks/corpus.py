"""Write a corpus of invented Markdown, the same for the same seed on every machine.

    uv run python benchmarks/corpus.py DIR --files 500 --seed 7            500 files, about 3.44 million characters
    uv run python benchmarks/corpus.py DIR --files 100000 --seed 7 --small  files of about 200 characters

Words follow Zipf's law over 5,000 of them; lengths of files are log-normal; 1.5 % of the paragraphs are copies of a
paragraph of an earlier file, as boilerplate is in real corpora.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

MEAN_CHARACTERS = 6_880
SMALL_CHARACTERS = 200
FILES_PER_FOLDER = 1_000
REPEATED = 0.015
VOCABULARY = 5_000
# Small words come first, as in every language: they take the top ranks of the Zipf distribution.
COMMON = """the of and to a in is for that with on as are by it from be this at or an which when not each after before
one two more than into over only between under while where has have must can may will its their they then so if no all
other some same first last next new old long short high low water level station reading time day hour week road bridge
river town house field letter engine window garden market signal record number value table line point side part name
work change order report question answer reason result list page note rule step test price weight colour sound paper
stone wood iron glass north south east west morning evening winter summer opens closes carries holds keeps makes takes
gives brings turns writes reads counts moves finds shows grows falls begins ends"""
ONSETS = "b br c ch cl d dr f fl g gr h j k l m n p pl pr qu r s sh sl st str t th tr v w"
NUCLEI = "a e i o u ai ea io ou"
CODAS = ["", "", "", "l", "n", "r", "s", "t", "nd", "rk", "m"]


class Writer:
    """Draws words, sentences and paragraphs from one random generator."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.words = self._vocabulary()
        weights = 1 / (np.arange(len(self.words)) + 2.7)
        self.cumulative = np.cumsum(weights / weights.sum())
        self.drawn = self._stream()

    def _vocabulary(self) -> list[str]:
        parts = (ONSETS.split(), NUCLEI.split(), CODAS)
        words: dict[str, None] = dict.fromkeys(COMMON.split())
        while len(words) < VOCABULARY:
            syllables = [
                "".join(part[self.random.integers(len(part))] for part in parts)
                for _ in range(self.random.integers(1, 4))
            ]
            words["".join(syllables)] = None
        return list(words)

    def _stream(self) -> Iterator[str]:
        while True:  # drawing many at once is a hundred times faster than one by one
            ranks = np.searchsorted(self.cumulative, self.random.random(65_536))
            for rank in np.minimum(ranks, len(self.words) - 1).tolist():
                yield self.words[rank]

    def take(self, count: int) -> list[str]:
        """Draw some words."""
        return list(islice(self.drawn, count))

    def between(self, low: int, high: int) -> int:
        """Draw a whole number from low to high - 1."""
        return int(self.random.integers(low, high))

    def sentence(self) -> str:
        """Write one sentence of 6 to 21 words, some with a comma or a number."""
        words = self.take(self.between(6, 22))
        if len(words) > 12:
            words[len(words) // 2] += ","
        if self.random.random() < 0.08:
            words[-1] = f"{self.between(2, 9_000)}"
        text = " ".join(words)
        return f"{text[0].upper()}{text[1:]}."

    def paragraph(self) -> str:
        """Write three to seven sentences."""
        return " ".join(self.sentence() for _ in range(self.between(3, 8)))

    def bullets(self) -> str:
        """Write a list, numbered now and then."""
        numbered = self.random.random() < 0.3
        lines = (" ".join(self.take(self.between(4, 14))) for _ in range(self.between(3, 8)))
        return "\n".join(f"{n}. {line}" if numbered else f"- {line}" for n, line in enumerate(lines, 1))

    def code(self) -> str:
        """Write a fenced block with a small function."""
        name, argument, *keys = self.take(self.between(5, 9))
        body = "\n".join(f'    {key}_{n} = {argument}["{key}"] * {self.between(2, 99)}' for n, key in enumerate(keys))
        head = f"def {name}_{self.between(1, 999)}({argument}):"
        return f"```python\n{head}\n{body}\n    return {keys[-1]}_{len(keys) - 1}\n```"

    def heading(self, level: int) -> str:
        """Write a heading of two to five words."""
        return f"{'#' * level} {' '.join(self.take(self.between(2, 6))).capitalize()}"


def documents(files: int, seed: int) -> Iterator[str]:
    """Write files of about 6,880 characters, log-normally distributed, the mean held by scaling."""
    writer = Writer(seed)
    lengths = np.clip(writer.random.lognormal(0, 0.6, files), 0.15, 6)
    lengths *= MEAN_CHARACTERS / lengths.mean()
    shared: list[str] = []
    for number, length in enumerate(lengths.tolist()):
        parts = [f"{writer.heading(1)} {number}"]
        size, since, own = len(parts[0]), 0, []
        while size < length - 200:  # a paragraph is 400 characters: on average the end is met
            chance = writer.random.random()
            if since >= 3 and chance < 0.45:
                part, since = writer.heading(2 if chance < 0.3 else 3), 0
            elif chance > 0.96:
                part = writer.code()
            elif chance > 0.88:
                part = writer.bullets()
            else:
                if shared and writer.random.random() < REPEATED:
                    part = shared[writer.between(0, len(shared))]
                else:
                    part = writer.paragraph()
                    own.append(part)
                since += 1
            parts.append(part)
            size += len(part) + 2
        shared.extend(own)  # only now: a copy always comes from another file
        yield "\n\n".join(parts) + "\n"


def notes(files: int, seed: int) -> Iterator[str]:
    """Write files of about 200 characters: a heading and one paragraph."""
    writer = Writer(seed)
    for number in range(files):
        title, body = " ".join(writer.take(3)), " ".join(writer.take(writer.between(21, 33)))
        yield f"# {title} {number}\n\n{body}.\n"


def write(folder: Path, files: int, seed: int, *, small: bool = False) -> int:
    """Write the corpus into an empty or new folder and return its characters."""
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty: name a new folder, so that nothing else is counted")
    total = 0
    for number, text in enumerate((notes if small else documents)(files, seed)):
        block = number // FILES_PER_FOLDER
        inner = folder / f"{block // 10:02d}" / f"{block:04d}"
        if number % FILES_PER_FOLDER == 0:
            inner.mkdir(parents=True)
        (inner / f"{number:06d}.md").write_bytes(text.encode())
        total += len(text)
    return total


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--small", action="store_true", help=f"about {SMALL_CHARACTERS} characters a file")
    args = parser.parse_args()
    start = time.perf_counter()
    total = write(args.folder, args.files, args.seed, small=args.small)
    print(f"{args.files:,} files, {total:,} characters in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
