"""The page of events: what is sent to Prefect, and what Prefect is sent by a run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

from relance.events.change import ENDINGS, EVENT, MAX_BYTES, MAX_URIS, Change

PAGE = """# Events

How they are sent and received is on [another page](../events.md).

## `{event}`

A source says that it changed. It starts the deployment `ingest-on-change`. More than {uris:,} uris, or more than
{kib} KiB of them, become `everything`. This is one for `relance emit handbook --changed docs/a.md --removed docs/b.md`:

```json
{example}
```

## What a run sends

When a run ends, it sends an event about `relance.index.NAME`, which may start other automations:

| event | the flow run has ended as |
|---|---|
{ended}

The payload has `flow`, `state` and `message`. Runs with the mode "plan only" send none.
"""


def page() -> str:
    """Write the events with an example that the code makes."""
    change = Change("handbook", "docs", changed=("docs/a.md",), removed=("docs/b.md",))
    example = change.as_event(own=True, id=UUID(int=0), occurred=datetime(2026, 11, 1, 3, tzinfo=UTC))
    return PAGE.format(
        event=EVENT,
        uris=MAX_URIS,
        kib=MAX_BYTES // 1024,
        example=json.dumps(example, indent=2),
        ended="\n".join(f"| `relance.index.{what}` | `{state}` |" for state, what in ENDINGS.items()),
    )
