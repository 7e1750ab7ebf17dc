"""What others send when something changed: one file for each form. That of S3 is with its source."""

from relance.events.notifications.placement import Placement
from relance.sources.notification import Notification

__all__ = ["Notification", "Placement"]
