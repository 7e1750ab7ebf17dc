"""What others send when something changed: one file for each form."""

from relance.events.notifications.notification import Notification
from relance.events.notifications.placement import Placement

__all__ = ["Notification", "Placement"]
