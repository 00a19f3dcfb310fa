"""Asking a trace backend over HTTP, with the standard library alone.

Only the host that a person named is asked: a redirect to another one is refused. A backend on this machine is asked
directly, whatever proxy the environment names.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import json
import urllib.error
import urllib.request
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from langchain_logprobs.view.sources.documents import MAX_BYTES, unpacked
from langchain_logprobs.view.sources.problems import SourceError

TIMEOUT = 20.0
"""Seconds that a backend may be silent."""


class NotFoundError(SourceError):
    """The backend is there, and says that it has nothing at this address."""


class UnreachableError(SourceError):
    """Nobody answers at this address, now."""


def get_json(address: str) -> Any:
    """Ask for a JSON document.

    Args:
        address: An http or https address; a user and password in it are sent as basic authentication.

    Returns:
        The document.

    Raises:
        NotFoundError: The backend answered 404 or with a web page, which is what most say to an address they lack.
        SourceError: It could not be reached, refused, or answered something else.
    """
    body, content_type = get(address)
    shown = without_password(address)
    text = body.lstrip()[:200].lower()
    if "html" in content_type or text.startswith((b"<!doctype", b"<html")):
        raise NotFoundError(
            f"{shown} answered with a web page instead of a trace.\n"
            "Paste the address of one trace, as the browser shows it, or download the trace as JSON and name that file."
        )
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{shown} answered something that is not JSON ({error}).\nIs it a trace backend?") from error


def get(address: str) -> tuple[bytes, str]:
    """Ask for anything; return the body and its content type.

    Raises:
        NotFoundError: The answer was 404.
        SourceError: Any other trouble, in a sentence.
    """
    shown = without_password(address)
    try:
        request = _request(address)
        with _opener(request.host).open(request, timeout=TIMEOUT) as answer:
            body = answer.read(MAX_BYTES + 1)
            if len(body) > MAX_BYTES:
                raise SourceError(f"{shown} answered more than {MAX_BYTES >> 20} MiB. Ask for one trace.")
            # Zipkin reckons the length of a text with control characters too high, and fills up with NUL.
            return unpacked(body, shown).rstrip(b"\0"), str(answer.headers.get("Content-Type", "")).lower()
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(shown, error) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise UnreachableError(
            f"{shown} could not be asked: {_sentence(reason)}.\nIs the backend running, and is this its address?"
        ) from error
    except ValueError as error:  # an address that urllib or its idna codec cannot read
        raise SourceError(f"{shown} is not an address that can be asked: {error}.") from error


def without_password(address: str) -> str:
    """Return an address as it may be shown."""
    head, at, tail = address.rpartition("@")
    scheme, slashes, _ = head.partition("://")
    return f"{scheme}{slashes}{tail}" if at and slashes and "/" not in head[len(scheme) + 3 :] else address


def _request(address: str) -> urllib.request.Request:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it does not start with http:// or https:// and a host")
    headers = {"Accept": "application/json", "User-Agent": "langchain-logprobs"}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path or "/", parts.query, ""))
    return urllib.request.Request(bare, headers=headers)


class _SameHost(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if (old.scheme, old.netloc) != (new.scheme, new.netloc):
            fp.close()
            raise SourceError(
                f"{without_password(req.full_url)} sends on to {without_password(newurl)}, which you did not name.\n"
                "If that is the backend, name that address."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(host: str) -> urllib.request.OpenerDirector:
    direct = [urllib.request.ProxyHandler({})] if _is_local(urlsplit(f"//{host}").hostname or "") else []
    return urllib.request.build_opener(_SameHost, *direct)


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _refused(shown: str, error: urllib.error.HTTPError) -> SourceError:
    if error.code == 404:
        return NotFoundError(
            f"{shown} is not there (404).\n"
            "Either the backend has no such trace (any more), or this is not an address of its API."
        )
    if error.code in (401, 403):
        return SourceError(
            f"{shown} wants a login ({error.code}).\n"
            "Put user and password into the address (http://user:password@host/...), or download the trace as JSON "
            "in the browser and name that file."
        )
    said = error.read(200).decode("utf-8", "replace").strip()
    return SourceError(f"{shown} answered {error.code}" + (f": {said!r}." if said else "."))


def _sentence(reason: object) -> str:
    return str(getattr(reason, "strerror", None) or reason).rstrip(".") or type(reason).__name__
