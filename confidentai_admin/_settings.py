"""Where the client connects and with what: arguments, then environment, then defaults. No I/O but ``os.environ``."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Any, TypeVar
from urllib.parse import urlsplit

import attrs

from ._arguments import plain, positive_number
from ._secrets import NotText, SecretText
from .errors import ConfigurationError

T = TypeVar("T")

REGIONS = {
    "US": "https://api.confident-ai.com",
    "EU": "https://eu.api.confident-ai.com",
    "AU": "https://au.api.confident-ai.com",
}
DEFAULT_REGION = "US"

API_VERSIONS = ("v1", "v2")
DEFAULT_API_VERSION = "v1"

API_KEY_VARIABLE = "CONFIDENT_ORG_API_KEY"
BASE_URL_VARIABLE = "CONFIDENT_BASE_URL"
REGION_VARIABLE = "CONFIDENT_REGION"
API_VERSION_VARIABLE = "CONFIDENT_API_VERSION"

_QUOTES = "\"'`"
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_BRACKETED = re.compile(r"([^\[\]]*@)?\[[^\[\]]*\](:[0-9]*)?")  # an IPv6 address in a URL
# What a shell, a workflow or a person would have filled in.
_TEMPLATE = re.compile(
    r"\$\{|\$\(|\{\{|#\{|\A(\$(env:)?[A-Za-z_]\w*|%\w+%|!\w+!|\{[^{}]*\}|<.*>)\Z", re.ASCII | re.DOTALL
)
# Where a secret is kept, for a platform that puts the secret in its place.
_REFERENCE = re.compile(r"@Microsoft\.\w+\(|arn:aws[\w-]*:", re.IGNORECASE)
_NOTHING = ("none", "null", "nil", "undefined", "nan", "true", "false")
_WHOLE_LINE = re.compile(r"((export|set)\s+|\$env:)?(CONFIDENT_(ORG_)?API_KEY)\s*([=:]|\Z)")
_MASKED = re.compile(r"\*\*\*|Secret\w*\(")  # in a listing, and as a library shows it
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PROJECT_KEY = re.compile(r"confident_([a-z]{2}_)?proj_", re.IGNORECASE)
_KEY_REGION = re.compile(r"confident_([a-z]{2})_", re.IGNORECASE)


def _positive_seconds(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    positive_number(f"timeout {attribute.name}", value, "seconds")


def _plain_seconds(value: float) -> float:
    return plain(value)


@attrs.frozen
class Timeout:
    """How long a call may take, in seconds.

    Attributes:
        connect: For making a connection, from looking up the server's name to TLS.
        read: Between two pieces of an answer, and before the first.
        total: For the whole call: waiting for a free connection, all attempts, and the pauses between them. What trace
            hooks of your own wait for is not counted.
    """

    connect: float = attrs.field(default=10, converter=_plain_seconds, validator=_positive_seconds)
    read: float = attrs.field(default=30, converter=_plain_seconds, validator=_positive_seconds)
    total: float = attrs.field(default=60, converter=_plain_seconds, validator=_positive_seconds)

    @classmethod
    def of(cls, timeout: float | Timeout) -> Timeout:
        """A ``Timeout`` as it is, or one with ``timeout`` seconds in total."""
        return timeout if isinstance(timeout, Timeout) else cls(total=timeout)


@attrs.define
class Credential:
    """The key that a client and its views use, in one place: it is another one after it was rotated."""

    api_key: SecretText


@attrs.frozen
class Settings:
    """What a client needs to know before its first request."""

    credential: Credential
    base_url: str
    api_version: str

    @property
    def api_key(self) -> SecretText:
        """The key that is used now."""
        return self.credential.api_key

    @classmethod
    def resolve(
        cls,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        region: str | None = None,
        api_version: str | None = None,
        allow_insecure_http: bool = False,
    ) -> Settings:
        """Work out the key, the base URL and the API's version.

        Raises:
            ConfigurationError: There is no key, or a key, URL, region or version cannot be used.
        """
        key = _api_key(api_key)
        url = _base_url(base_url, region, key, allow_insecure_http=allow_insecure_http)
        return cls(Credential(key), url, _api_version(api_version))


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or isinstance(value, NotText):
        raise TypeError(f"{name} must be a string, not {value if isinstance(value, NotText) else type(value).__name__}")
    return value.strip()


def why_no_value(text: str) -> str | None:
    """Why this is certainly not what was meant, whatever should be here, in words that show nothing of it."""
    if text and (text[0] in _QUOTES or text[-1] in _QUOTES):
        return (
            "has quotation marks around it, which a shell takes away and other readers of a file, such as"
            " `docker run --env-file`, do not: write it without them"
        )
    if _TEMPLATE.search(text):
        return "holds a variable or a template that was not filled in"
    if _REFERENCE.match(text):
        return "is a reference to a secret, which the platform has not looked up: give the secret's value"
    return f"is the text {plain(text)!r}, which stands for no value" if text.lower() in _NOTHING else None


def _why_no_key(key: str) -> str | None:
    """Why this is certainly no key, in words that show nothing of it."""
    if why := why_no_value(key):
        return why
    if line := _WHOLE_LINE.match(key):
        return f"begins with the name of the variable, {line[3]}: give the value alone"
    if _MASKED.match(key):
        return "is masked, as keys are in a listing or a log: a key is shown in full only when it is made"
    return "is a URL" if _URL.match(key) else None


def _environment(variable: str) -> str | None:
    # A variable that is set to nothing is a common way to unset it.
    return os.environ.get(variable, "").strip() or None


def _api_key(argument: str | None) -> SecretText:
    if argument is None:
        source = f"the environment variable {API_KEY_VARIABLE}"
        key = SecretText(_environment(API_KEY_VARIABLE) or "")
        if not key:
            raise ConfigurationError(
                f"There is no API key: set the environment variable {API_KEY_VARIABLE}, or pass api_key= an"
                " organization API key (the product shows it under the organization's settings)."
            )
    else:
        source = "api_key"
        key = SecretText(_text("api_key", SecretText.hide(argument)))
        if not key:
            raise ConfigurationError("api_key is empty: pass an organization API key.")
    if why := _why_no_key(key):
        raise ConfigurationError(f"The API key in {source} {why}. It is not shown here, since it may be a secret.")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigurationError(
            f"The API key in {source} has a character in it that no key has (a line break, a blank, or one outside of"
            " ASCII): copy it again. It is not shown here, since it is a secret."
        )
    return key


def is_project_key(key: str) -> bool:
    """Whether a key says of itself that it is of a project. One that does not say so may be one all the same."""
    return _PROJECT_KEY.match(key) is not None


def _base_url(argument: str | None, region: str | None, key: str, *, allow_insecure_http: bool) -> str:
    if argument is not None and region is not None:
        raise ConfigurationError("Pass base_url or region, not both: a region is no more than a base URL's name.")
    if argument is not None:
        return _checked_url(
            "base_url", _text("base_url", SecretText.hide(argument)), allow_insecure_http=allow_insecure_http
        )
    if region is not None:
        return _region_url("region", _text("region", region))
    if url := _environment(BASE_URL_VARIABLE):
        return _checked_url(
            f"the environment variable {BASE_URL_VARIABLE}", url, allow_insecure_http=allow_insecure_http
        )
    if name := _environment(REGION_VARIABLE):
        return _region_url(f"the environment variable {REGION_VARIABLE}", name)
    if match := _KEY_REGION.match(key):
        return _region_url("the API key's prefix", match[1])
    return REGIONS[DEFAULT_REGION]


def _region_url(source: str, name: str) -> str:
    if why := why_no_value(name):
        raise ConfigurationError(f"{source} {why}.")
    url = REGIONS.get(name.upper())
    if url is None:
        raise ConfigurationError(
            f"There is no region {name!r} ({source}): take one of {', '.join(REGIONS)}, or pass base_url= for another"
            " server."
        )
    return url


def _api_version(argument: str | None) -> str:
    if argument is not None:
        return _checked_version("api_version", _text("api_version", argument))
    if name := _environment(API_VERSION_VARIABLE):
        return _checked_version(f"the environment variable {API_VERSION_VARIABLE}", name)
    return DEFAULT_API_VERSION


def _checked_version(source: str, name: str) -> str:
    if why := why_no_value(name):
        raise ConfigurationError(f"{source} {why}.")
    if name not in API_VERSIONS:
        raise ConfigurationError(
            f"There is no version {name!r} of the API ({source}): take one of {', '.join(API_VERSIONS)}."
        )
    return plain(name)


def is_http_url(url: str) -> bool:
    """Whether ``url`` is http or https, and names a host and a port that can be."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        url.encode()  # there is no half of a character in it
        host.encode("idna")  # no label is empty or too long
        if "[" in parts.netloc:
            ipaddress.IPv6Address(host)  # Python takes whatever begins with a v
            if not _BRACKETED.fullmatch(parts.netloc):
                return False  # and forgets what is around them
        elif _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]):
            ipaddress.IPv4Address(host)  # what else ends in a number means something else to each who reads it
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and (port is None or port > 0)


def _checked_url(source: str, url: str, *, allow_insecure_http: bool) -> str:
    # The URL itself is not shown: it may hold a password.
    url = SecretText(url)
    if why := why_no_value(url):
        raise ConfigurationError(f"{source} {why}.")
    if not (url.isascii() and url.isprintable() and " " not in url and "\\" not in url):
        raise ConfigurationError(f"{source} has a character in it that a URL must have encoded.")
    if not is_http_url(url):
        raise ConfigurationError(f"{source} must be a URL that starts with https:// and names a host.")
    if "@" in urlsplit(url).netloc:
        raise ConfigurationError(f"{source} must hold no user name or password: the API key is all that is sent.")
    if "?" in url or "#" in url:
        raise ConfigurationError(f"{source} must have no query and no fragment: paths are added at its end.")
    parts = urlsplit(url)
    last = parts.path.rstrip("/").rpartition("/")[2].lower()
    if last in API_VERSIONS:
        raise ConfigurationError(
            f"{source} ends in /{last}: leave that out, since every path begins with the API's version, which"
            f" api_version= or {API_VERSION_VARIABLE} chooses."
        )
    if parts.scheme == "http" and not allow_insecure_http and not is_loopback(url):
        raise ConfigurationError(
            f"{source} is plain http to another machine, where anybody on the way can read the API key: use https, or"
            " pass allow_insecure_http=True if the network is your own."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def is_loopback(url: str) -> bool:
    """Whether the host of ``url`` is this machine. A name such as ``x.localhost`` is looked up, and may be another."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
