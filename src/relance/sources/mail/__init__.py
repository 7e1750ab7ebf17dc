"""The `mail` source: messages in the folders of an IMAP account, or of a Maildir."""

from relance.sources.mail.source import Mail

__all__ = ["Mail"]
