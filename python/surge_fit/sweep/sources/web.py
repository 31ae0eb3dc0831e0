"""JSON from a server, asked again where it was busy."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from surge_fit.errors import SweepError

_TRIES = 4
_TIMEOUT = 60.0  # seconds without an answer
_BUSY = (408, 429, 500, 502, 503, 504)


def fetch_json(
    url: str, *, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> Any:
    """Ask a server for JSON.

    Parameters
    ----------
    url : str
        Of ``http`` or ``https``.
    body : mapping, optional
        Posted as JSON; without it the request is a GET.
    headers : mapping of str to str, optional

    Raises
    ------
    SweepError
        If the server cannot be reached, refuses, or answers something else.
    """
    server = urllib.parse.urlsplit(url)
    if server.scheme not in ("http", "https") or not server.netloc:
        msg = f"A server's address must be http://HOST:PORT; got {url!r}."
        raise SweepError(msg)
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310
    for attempt in range(_TRIES):
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code not in _BUSY or attempt + 1 == _TRIES:
                msg = f"{server.netloc} answered {error.code} to {server.path}. {_advice(error.code)}"
                raise SweepError(msg) from error
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            if attempt + 1 == _TRIES:
                reason = getattr(error, "reason", error)
                msg = f"{server.netloc} must be a server that can be reached; it cannot: {reason}."
                raise SweepError(msg) from error
        except ValueError as error:
            msg = f"{server.netloc} must answer {server.path} with JSON; it did not. Check the address."
            raise SweepError(msg) from error
        time.sleep(0.5 * 2**attempt)
    raise AssertionError


def _advice(code: int) -> str:
    if code in (401, 403):
        return "Give the credentials of the server in the environment, as its own client reads them."
    return "Check the address."
