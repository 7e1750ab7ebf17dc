"""Whether tables can be read: their newest versions whole, and the versions a rollback may go back to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from relance.counted import counted
from relance.store import Store
from relance.store.doctor.cause import cause_of, file_in
from relance.store.doctor.examination import Examination
from relance.store.doctor.finding import Finding
from relance.store.doctor.mending import begin_anew, drop_files, manifests, remove_manifest
from relance.store.doctor.reading import TableReading, open_reading
from relance.store.faults import is_damage
from relance.store.mending import mend

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Role", "check_table", "check_versions"]

# What a table is, in words; and what becomes of the rows that cannot be read.
Role = tuple[str, str]


def check_table(exam: Examination, store: Store, name: str, role: Role, *, part: str = "", vectors: bool = False,
                look: Callable[[pa.RecordBatch], None] = lambda _: None) -> TableReading | None:  # fmt: skip
    """Read a table whole; returns None where there is none, or where nothing of it can be read.

    Args:
        exam: takes what is found.
        store: the store.
        name: of the table.
        role: what it is, and what becomes of rows that cannot be read.
        part: of the index.
        vectors: whether its rows are vectors that were bought.
        look: is shown all rows.
    """
    what, then = role
    try:
        reading = open_reading(store, name)
    except Exception as error:  # LanceDB has no classes for it
        hurt, fix = is_damage(error), None
        remedy = "nothing; it may be the disk, the network, or what this user may read"
        if hurt and store.local is not None:
            remedy = "goes back to the newest version that can be read, or sets the table aside; the next run goes on"
            fix = partial(_mend, store, name)
        elif hurt:  # an object store has no torn writes: somebody wrote over the object, and may have a version of it
            remedy = "nothing; bring the object back from the bucket's versions, or drop the table: runs write it anew"
        exam.find(Finding(
            code="table-unreadable", where=file_in(error) or name, part=part,
            what=f"the newest version of {name} ({what}) cannot be opened: {cause_of(error)}",
            remedy=remedy, fix=fix,
        ))  # fmt: skip
        return None
    if reading is None:
        return None
    exam.tables += 1
    reading.read(look)
    exam.files += len(reading.files)
    exam.rows += reading.rows
    for hurt in reading.hurt:
        exam.find(Finding(
            code="file-hurt", where=hurt.name or f"{name}, file {hurt.number}", part=part,
            what=f"{counted(hurt.rows, 'row')} of {name} ({what}) cannot be read; their file: {hurt.cause}",
            remedy=f"drops the rows of this file; {then}",
            vectors=hurt.rows if vectors else 0,
            lost=f"{counted(hurt.rows, 'vector')}, less those that chunks have" if vectors else "",
            fix=lambda each=hurt: drop_files(store, name, [each]),
        ))  # fmt: skip
    return reading


def check_versions(exam: Examination, store: Store, reading: TableReading, runs: dict[int, str],
                   part: str = "") -> None:  # fmt: skip
    """Look whether older versions can be read: all of them as far as to be opened, those of runs whole.

    `runs` names the run that left each version. Files that the newest version shares with older ones are read once.
    """
    name = reading.name
    hurt = {}
    for version, path in manifests(store, name).items():
        if version < reading.version:
            try:
                store.db.open_table(name, version=version)
                exam.versions += 1
            except Exception as error:
                hurt[version] = path
                exam.find(Finding(
                    code="version-hurt", where=f"{name} version {version}", part=part,
                    what=f"version {version} of {name} cannot be opened: {cause_of(error)}; versions cannot be listed "
                    "for it, which rollback and maintenance need",
                    remedy="removes what is left of this version",
                    lost=f"the way back to run {runs[version]}" if version in runs else "",
                    fix=lambda path=path: remove_manifest(path),
                ))  # fmt: skip
    known = set(reading.files)
    broken = {each.number for each in reading.hurt}
    newest = max(runs, default=0)
    if newest > reading.version:
        exam.find(Finding(
            code="version-lost", where=f"{name} version {newest}", part=part,
            what=f"{name} is at version {reading.version}, and run {runs[newest]} left version {newest}",
            remedy="nothing is to be done: the next run compares what is there, and writes what is missing",
            level="note",
        ))  # fmt: skip
    there = {each["version"] for each in reading.table.list_versions()} if not hurt else set(manifests(store, name))
    for version in sorted(runs.keys() & there - hurt.keys(), reverse=True):
        if version >= reading.version:
            continue
        cause = ""
        try:
            older = open_reading(store, name, version)
            if older is None:
                continue
            older.read(only=set(older.files) - known)
            broken |= {each.number for each in older.hurt}
            known |= set(older.files)
            cause = next((each.cause for each in older.hurt), "") or ("it is hurt" if broken & set(older.files) else "")
        except Exception as error:
            cause = cause_of(error)
        exam.versions += store.local is None
        if cause:
            exam.find(Finding(
                code="version-hurt", where=f"{name} version {version}", part=part, level="note",
                what=f"version {version} of {name}, which run {runs[version]} left, has a file that cannot be read",
                remedy="nothing: it goes with the retention",
                lost=f"the way back to run {runs[version]}",
            ))  # fmt: skip


def _mend(store: Store, name: str) -> str:
    mended = mend(store, name)
    return mended.sentence if mended is not None else begin_anew(store, name)
