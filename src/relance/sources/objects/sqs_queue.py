"""A queue of SQS, or of what speaks its protocol, by boto3."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from relance.errors import ConfigurationError, MissingExtraError, SourceError
from relance.sources.objects.spec import ObjectsSource

__all__ = ["Message", "SqsQueue"]

# The most that SQS takes. An empty answer then costs 4,300 requests a day, of which AWS gives a million a month.
_LONG_POLL_S = 20
_AT_ONCE = 10
# So long a message is hidden from others while a run takes it in; one of a killed process comes again after that.
_HIDDEN_S = 300
_REGION = re.compile(r"sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?|([a-z0-9-]+)\.queue\.amazonaws\.com")


class Message(NamedTuple):
    """A message: its id stays the same when it comes again, the receipt by which it is deleted does not."""

    id: str
    receipt: str
    body: str


class SqsQueue:
    """The queue of a source, with its credentials. Nothing is asked before the first call; threads share it."""

    def __init__(self, section: ObjectsSource) -> None:
        self._section = section
        self._made: Any = None
        self._lock = threading.Lock()

    def __str__(self) -> str:
        return self._section.queue

    def receive(self) -> list[Message]:
        """Return up to ten messages, and wait for the first at most 20 seconds.

        Raises MissingExtraError, ConfigurationError if there is no such queue, and SourceError for everything else.
        """
        found = self._ask("receive_message", MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=_LONG_POLL_S,
                          VisibilityTimeout=_HIDDEN_S)  # fmt: skip
        return [Message(each["MessageId"], each["ReceiptHandle"], each["Body"]) for each in found.get("Messages", ())]

    def delete(self, receipts: Sequence[str]) -> None:
        """Delete messages; raises as `receive`."""
        for start in range(0, len(receipts), _AT_ONCE):
            batch = enumerate(receipts[start : start + _AT_ONCE])
            entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in batch]
            answer = self._ask("delete_message_batch", Entries=entries)
            if failed := answer.get("Failed"):
                raise SourceError(f"{self}: {len(failed)} messages cannot be deleted ({failed[0].get('Code', '?')})")

    def _ask(self, call: str, **given: Any) -> Any:
        client = self._client()
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            return getattr(client, call)(QueueUrl=self._section.queue, **given)
        except client.exceptions.QueueDoesNotExist:
            raise ConfigurationError(f"there is no queue {self}; check `queue` and `region`") from None
        except NoCredentialsError:
            raise SourceError(f"{self}: there are no credentials; set key_id and secret") from None
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "no reason is given")
            raise SourceError(f"{self} does not answer ({code}); check key_id, secret and what they permit") from None
        except BotoCoreError as error:
            raise SourceError(f"{self} does not answer ({type(error).__name__}); is it up?") from None

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = _client(self._section)
        return self._made


def _client(section: ObjectsSource) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise MissingExtraError("`queue` of a source of type objects", "sqs") from error
    key_id, secret, token = (each.get_secret_value() for each in (section.key_id, section.secret, section.token))
    address = urlsplit(section.queue)
    host = _REGION.search(address.hostname or "")
    region = (host and (host[1] or host[2])) or section.region or "us-east-1"
    patience = Config(connect_timeout=5, read_timeout=_LONG_POLL_S + 10, retries={"max_attempts": 1})
    # A session of its own: the default one of boto3 is not for several threads.
    return boto3.session.Session(key_id or None, secret or None, token or None, region).client(
        "sqs", endpoint_url=f"{address.scheme}://{address.netloc}", config=patience
    )
