"""Sources that say that they changed: the event, who sends it, and how it reaches Prefect's API without Prefect."""

from relance.events.change import EVENT, Change, merge

__all__ = ["EVENT", "Change", "merge"]
