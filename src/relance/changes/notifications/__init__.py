"""What others send when something changed: one file for each form."""

from relance.changes.notifications.notification import Notification
from relance.changes.notifications.placement import Placement

__all__ = ["Notification", "Placement"]
