"""The fields `webhook` and `webhookEvents` of a request. Pure."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from yarl import URL

from sdrest.errors import FieldError
from sdrest.jobs.webhooks import Webhook, WebhookEvent
from sdrest.web.webhooks.addresses import is_public

MAX_URL = 2000

ENDS = (WebhookEvent.COMPLETE, WebhookEvent.FAILED, WebhookEvent.CANCELLED)
"""What a listener hears of where the request names no events."""

_NOT_PRINTED = re.compile(r"[\0-\x20\x7f]")
_NUMBER = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)\.?", re.IGNORECASE)
"""Hosts that some programs read as an IPv4 address: `2130706433`, `127.1`, `0x7f.1`."""

_NO_ADDRESS = "Should be an address that begins with https:// or http://."
_PRIVATE = (
    "Is an address of this machine or of a private network. Start the server with "
    "--webhook-private to allow it."
)


def read(
    fields: Mapping[str, Any], server: str, *, private: bool
) -> tuple[Webhook | None, Sequence[FieldError]]:
    """Return the webhook that a request's fields ask for, if any, and what is wrong with them.

    `server` is the address of this server as the client sees it. Without `private`, addresses of
    private networks are wrong; names are looked up when a message is sent.
    """
    given = fields.get("webhook")
    is_given = not (given is None or given is False or given == "")
    errors = []
    if is_given and (wrong := _wrong_with(given, private=private)) is not None:
        errors.append(FieldError("webhook", wrong))
    names = _names(fields.get("webhookEvents"))
    unknown = [name for name in names if name not in {*WebhookEvent}]
    if unknown:
        errors.append(FieldError("webhookEvents", f"Should be among {', '.join(WebhookEvent)}."))
    if errors or not is_given:
        return None, errors
    events = tuple(event for event in WebhookEvent if event in names) or ENDS
    return Webhook(str(given), events, server), errors


def _wrong_with(given: Any, *, private: bool) -> str | None:
    if not isinstance(given, str):
        return _NO_ADDRESS
    if len(given) > MAX_URL:
        return f"Should have at most {MAX_URL} characters."
    try:
        url = URL(given)
        host = url.host
    except ValueError:
        return _NO_ADDRESS
    if url.scheme not in {"http", "https"} or not host or not url.port:
        return _NO_ADDRESS
    if _NOT_PRINTED.search(given) or (_NUMBER.fullmatch(host) and not _is_address(host)):
        return _NO_ADDRESS
    return None if private or is_public(host) else _PRIVATE


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _names(given: Any) -> Sequence[str]:
    """Return names from a list, or from a text with commas between them."""
    match given:
        case str():
            return [name.strip() for name in given.split(",") if name.strip()]
        case list():
            return [str(name) for name in given]
        case None | False:
            return []
        case _:
            return [str(given)]
