"""What LanceDB's errors mean: which of them is a hurt table, which the world, and one sentence for each.

LanceDB 0.40 has no classes of errors, and its texts end with paths of the machine it was compiled on.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator

from relance.errors import RelanceError, RetryableError, StoreError

__all__ = ["cause_of", "is_damage", "is_of_lance", "store_error", "store_errors", "whole_text"]

# The error of a commit that lost a race: it has changed nothing.
_CONFLICTS = (
    "commit conflict",
    "preempted by concurrent",
    "incompatible with concurrent",
    "Too many concurrent writers",
    "merge insert timed out",
)

_HURT = "a file of the table is torn or missing; `relance ingest` writes the table anew from what can be read"
_REMEDIES = (
    (r"No space left|os error 28|Disk quota|os error 122|File too large|os error 27",
     "free space on the disk, or raise the limit, then run again; what was committed stays"),
    ((r"Read-only file system|os error 30|Permission denied|os error 13|Operation not permitted|os error 1\b|"
     r"Not a directory|os error 20\b"),
     "let this user write there, or set `store.uri` to another folder"),
    (r"Too many open files|os error 24", "raise the limit of open files (`ulimit -n`), then run again"),
    (r"InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|Forbidden|Unauthorized|credentials",
     "check the keys in `store.storage_options` and what they may do"),
    (r"NoSuchBucket|bucket does not exist|BucketNotFound", "create the bucket, or set `store.uri` to another one"),
    (r"Connection refused|tcp connect|dns error|error sending request|timed? ?out|unreachable|reset by peer|RetryError",
     "is the object store up? Check `store.uri` and `store.storage_options`, then run again"),
)  # fmt: skip

# What reading says where a file is missing, empty, cut short or written over.
_DAMAGE = re.compile(
    r"Not found|no longer exists|failed to fill whole buffer|Invalid range|file size is too small|correct footer|"
    r"negative or overflowing|Invalid format|magic|UnexpectedEof|unexpected end|corrupt|[Pp]anic|out of range|"
    r"failed to decode|Parser error|could not be decoded|buffer underflow|invalid (?:wire|tag|utf)|"
    r"EOF while parsing|out of bounds|assertion|unwrap",
    re.IGNORECASE,
)
# A place in the source code of LanceDB, at the end of a text or within it.
_PLACE = re.compile(
    r",?\s*(?:(?:/[\w.@+-]+)*/|(?:rust|src|library)/)[\w./@+-]*\.rs:\d+(?::\d+)?"
    r"|,?\s*location: Location \{[^}]*\}|,?\s*backtrace: \w+",
)
_WRAPPING = re.compile(
    r"^(?:lance error|LanceError\(\w+\)|External error|Wrapped error|Generic (?:N/A|memory|\w+) error|"
    r"Runtime error|Encountered internal error|Io error|Invalid input|[Ee]xecution error|Query [Ee]xecution error|"
    r"Failed to connect to namespace|Please file a bug report[^:]*):?,?\s*"
)
_DEBUGGED = re.compile(r'message: "((?:[^"\\]|\\.)*)"')
_ANSWERED = re.compile(r'Status \{ status: (\d+), body: Some\("((?:[^"\\]|\\.)*)"\)')
_ADDRESS = re.compile(r"https?://[^/\s?)\"']+")


def store_error(error: BaseException, doing: str) -> RelanceError:
    """Say in one sentence why the store failed while `doing` something, such as "writing notes__0f6a1c2d".

    An error of ours stays as it is; RetryableError where another commit came first, else StoreError.
    """
    if isinstance(error, RelanceError):
        return error
    text, cause = whole_text(error), cause_of(error)
    if any(words in text for words in _CONFLICTS):
        return RetryableError(f"the store was busy while {doing}: {cause}")
    remedy = next((remedy for pattern, remedy in _REMEDIES if re.search(pattern, text)), "")
    if not remedy:
        remedy = _HURT if is_damage(error) else "run again; `relance doctor` checks the tables of an index"
    return StoreError(doing, cause, remedy)


@contextlib.contextmanager
def store_errors(doing: str) -> Generator[None]:
    """Let what LanceDB raises within the block, or a system call, be a `store_error`."""
    try:
        yield
    except RelanceError:
        raise
    except Exception as error:
        raise store_error(error, doing) from error


def is_of_lance(error: BaseException) -> bool:
    """Whether an error is LanceDB's own: what fails there is a RuntimeError whose text names it."""
    return isinstance(error, RuntimeError) and "lance" in str(error)


def is_damage(error: BaseException) -> bool:
    """Whether an error means that a file of a table is missing or torn, not that the disk or the network failed."""
    text = whole_text(error)
    if type(error).__name__ == "PanicException":
        return True
    return bool(_DAMAGE.search(text)) and not any(re.search(pattern, text) for pattern, _ in _REMEDIES)


def cause_of(error: BaseException) -> str:
    """Return the innermost cause that an error names, whole, without places in anybody's source code."""
    seen = {id(error)}
    while (inner := error.__cause__ or (error.__context__ if not str(error).strip() else None)) is not None:
        if id(inner) in seen:  # `raise error from error` makes a circle
            break
        seen.add(id(inner))
        error = inner
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    text = _PLACE.sub("", str(error)).strip() or type(error).__name__
    if "kind: Timeout" in text and (address := _ADDRESS.search(text)):
        return f"no answer in time ({address[0]})"
    if messages := _DEBUGGED.findall(text) or _ANSWERED.findall(text):  # causes as Rust prints them for programmers
        last = messages[-1] if isinstance(messages[-1], str) else " ".join(["HTTP", *messages[-1]]).strip()
        address = _ADDRESS.search(text)
        return f"{last} ({address[0]})" if address else last
    while (shorter := _WRAPPING.sub("", text)) != text:
        text = shorter
    text = re.sub(r"^(Not found: )(?:Wrapped error: |Not found: )+", r"\1", text)
    return " ".join(text.rstrip(" ,.;:").split())


def whole_text(error: BaseException) -> str:
    """Put the texts of an error and of its causes together; of an OSError its number, too."""
    parts, seen = [], set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        number = f" (os error {each.errno})" if isinstance(each, OSError) and each.errno else ""
        parts.append(f"{type(each).__name__}: {each}{number}")
        each = each.__cause__
    return _PLACE.sub("", " | ".join(parts))
