"""Where the client connects and with what: arguments, environment, defaults, and what is refused."""

from __future__ import annotations

import functools
import math
import ssl
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import aiohttp
import pytest
from hypothesis import given

from confidentai_admin import (
    AsyncConfidentAI,
    AuthenticationError,
    ConfidentAI,
    ConfidentAIError,
    ConfigurationError,
    Timeout,
)
from confidentai_admin._api.versions import VERSIONS
from confidentai_admin._settings import API_VERSIONS, REGIONS, Settings
from confidentai_admin._surroundings import SystemClock

from ..any_text import any_text
from .revealing import shown_by
from .scripted_server import answer, refuse, scripted_server
from .wire_data import ORGANIZATION

KEY = "an-organization-key"
US, EU, AU = REGIONS["US"], REGIONS["EU"], REGIONS["AU"]
FACES = pytest.mark.parametrize("face", [AsyncConfidentAI, ConfidentAI])
Face = Callable[..., Any]


def _key(client: AsyncConfidentAI | ConfidentAI) -> str:
    core = client if isinstance(client, AsyncConfidentAI) else client._core
    return "".join(core._transport.settings.api_key)


# The key --------------------------------------------------------------------------------------------------------------


@FACES
def test_an_argument_is_taken_before_the_environment(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """api_key= wins over CONFIDENT_ORG_API_KEY, which wins over nothing."""
    monkeypatch.setenv("CONFIDENT_ORG_API_KEY", "from-the-environment")
    assert _key(face()) == "from-the-environment"
    assert _key(face("from-the-argument")) == "from-the-argument"


@FACES
@pytest.mark.parametrize("variable", [None, "", "  \n"])
def test_no_key_is_an_error_that_names_the_variable(
    face: Face, variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key, or with a variable that holds nothing, the error says which variable to set."""
    if variable is not None:
        monkeypatch.setenv("CONFIDENT_ORG_API_KEY", variable)
    with pytest.raises(ConfigurationError, match="CONFIDENT_ORG_API_KEY"):
        face()


@FACES
def test_the_project_key_of_another_library_is_never_read(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """CONFIDENT_API_KEY holds a project key for another library: it is no key for this one."""
    monkeypatch.setenv("CONFIDENT_API_KEY", "a-project-key")
    with pytest.raises(ConfigurationError):
        face()
    monkeypatch.setenv("CONFIDENT_ORG_API_KEY", KEY)
    assert _key(face()) == KEY


@FACES
@pytest.mark.parametrize("blank", ["", " ", "\n", "\t \r\n"])
def test_an_empty_argument_does_not_fall_back(face: Face, blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument that is empty is a mistake, not a wish for the environment's key."""
    monkeypatch.setenv("CONFIDENT_ORG_API_KEY", KEY)
    with pytest.raises(ConfigurationError, match="api_key is empty"):
        face(blank)


@pytest.mark.parametrize("around", [f"{KEY}\n", f"  {KEY}", f"\t{KEY}\r\n", f"\u00a0{KEY}\u2003", f"\ufeff{KEY}"[1:]])
def test_white_space_around_a_key_is_stripped(around: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys come from files: white space around them does not count, in the argument and in the environment."""
    assert _key(AsyncConfidentAI(around)) == KEY
    monkeypatch.setenv("CONFIDENT_ORG_API_KEY", around)
    assert _key(AsyncConfidentAI()) == KEY


async def test_the_stripped_key_is_what_is_sent() -> None:
    """The header holds the key raw, without its white space and without a word before it."""
    with scripted_server(answer(ORGANIZATION)) as server:
        async with AsyncConfidentAI(f" {KEY}\n", base_url=server.url) as client:
            await client.whoami()
    headers = server.requests[0].headers
    assert headers["confident_api_key"] == KEY
    assert "authorization" not in headers


@pytest.mark.parametrize(
    "key",
    ["x", "confident_us_org_" + "a" * 9, "confident_org_" + "a" * 9, "confident_us_proj_" + "a" * 9, "global-" + "a"],
)
def test_every_kind_of_key_is_taken(key: str) -> None:
    """Keys from before the scoped prefixes exist, and the server knows best: no prefix is demanded or refused."""
    assert _key(AsyncConfidentAI(key)) == key


MIDDLES = {
    "line feed": "\n",
    "carriage return": "\r",
    "header": "\r\nX-Other: 1\r\n",
    "blank": " ",
    "tab": "\t",
    "null": "\0",
    "delete": "\x7f",
    "no-break space": "\u00a0",
    "umlaut": "ü",
    "look-alike": "\u0430",
    "emoji": "🔑",
    "surrogate": "\ud800",
    "byte order mark": "\ufeff",
}


@FACES
@pytest.mark.parametrize(
    ("middle", "way"),
    [(middle, "argument") for middle in MIDDLES]
    # No variable can hold the two others on every system.
    + [(middle, "environment") for middle in MIDDLES if middle not in ("null", "surrogate")],
)
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(
    face: Face, way: str, middle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A character that no key has is a ConfigurationError in which neither half of the key can be found."""
    left, right = "left" * 3, "right" * 3
    key = left + MIDDLES[middle] + right
    if way == "environment":
        monkeypatch.setenv("CONFIDENT_ORG_API_KEY", key)
    with pytest.raises(ConfigurationError, match="character") as caught:
        face(key if way == "argument" else None)
    shown = shown_by(caught.value, but_for=__file__)
    assert left not in shown
    assert right not in shown


@FACES
async def test_a_key_as_long_as_a_book(face: Face) -> None:
    """A key of a MB is sent as it is, or refused if it cannot be; no part of it is in the error."""
    part = "Zq7" * 8
    key = "confident_us_org_" + "Zq7" * 333_333
    with pytest.raises(ConfigurationError, match="character") as refused:
        face(key[:500_000] + "\n" + key[500_000:])
    with scripted_server(refuse(401, f"unknown key {key}")) as server:
        client = face(key, base_url=server.url)
        with pytest.raises(AuthenticationError) as caught:
            await _whoami(client)
        assert part in server.requests[0].headers["confident_api_key"]
    for error in (refused.value, caught.value):
        assert part not in shown_by(error, but_for=__file__)


async def _whoami(client: AsyncConfidentAI | ConfidentAI) -> None:
    if isinstance(client, AsyncConfidentAI):
        async with client:
            await client.whoami()
    else:
        with client:
            client.whoami()


@FACES
@pytest.mark.parametrize("kind", ["bytes", "list"])
def test_a_key_of_another_type_is_refused_and_not_shown(face: Face, kind: str) -> None:
    """A key read as bytes, or all the lines of a file, is a TypeError that names api_key and shows the key nowhere."""
    text = "secret" * 3
    key: Any = {"bytes": text.encode(), "list": [text]}[kind]
    with pytest.raises(TypeError, match="api_key") as caught:
        face(key)
    assert text not in shown_by(caught.value, but_for=__file__)


@FACES
def test_a_good_key_is_not_shown_when_something_else_is_refused(face: Face) -> None:
    """The other arguments' errors show no key, in their tracebacks' locals neither."""
    key = "secret" * 3
    wrong: list[dict[str, Any]] = [
        {"base_url": "ftp://host"},
        {"base_url": 5},
        {"region": "XX"},
        {"timeout": "x"},
        {"timeout": -1},
        {"max_retries": -1},
        {"max_connections": 0},
        {"proxy": "http://proxy.invalid", "session_factory": aiohttp.ClientSession},
    ]
    for options in wrong:
        with pytest.raises((ConfidentAIError, TypeError, ValueError)) as caught:
            face(key, **options)
        assert key not in shown_by(caught.value, but_for=__file__)


@FACES
def test_a_refused_client_can_be_shown_in_a_traceback(face: Face) -> None:
    """A traceback with locals of a refused constructor can be made: the client in it, half made, has a repr."""
    with pytest.raises(ConfigurationError) as caught:
        face("left\nright")
    traceback.TracebackException.from_exception(caught.value, capture_locals=True)


#: What a template or a file leaves in the place of a value, and a word of what is said of it.
NO_VALUES: dict[str, tuple[str, str]] = {
    "double quotes": ('"confident_eu_org_{secret}"', "quotation marks"),
    "single quotes": ("'confident_eu_org_{secret}'", "quotation marks"),
    "backticks": ("`confident_eu_org_{secret}`", "quotation marks"),
    "one quote": ("confident_eu_org_{secret}'", "quotation marks"),
    "quoted blanks": ('" confident_eu_org_{secret} "', "quotation marks"),
    "quoted nothing": ('""', "quotation marks"),
    "a shell's variable": ("${CONFIDENT_ORG_API_KEY}", "filled in"),
    "a shell's variable with a default": ("${CONFIDENT_ORG_API_KEY:-none}", "filled in"),
    "a variable without braces": ("$CONFIDENT_ORG_API_KEY", "filled in"),
    "a variable of PowerShell": ("$env:CONFIDENT_ORG_API_KEY", "filled in"),
    "a variable of cmd": ("%CONFIDENT_ORG_API_KEY%", "filled in"),
    "a shell's command": ("$(cat key)", "filled in"),
    "a workflow's secret": ("${{ secrets.CONFIDENT_ORG_API_KEY }}", "filled in"),
    "a template": ("{{ vault.key }}", "filled in"),
    "a template around a part": ("confident_{{region}}_org_{secret}", "filled in"),
    "a place to fill in": ("<your-api-key>", "filled in"),
    "a late variable of cmd": ("!CONFIDENT_ORG_API_KEY!", "filled in"),
    "a name in braces": ("{CONFIDENT_ORG_API_KEY}", "filled in"),
    "a token of a release": ("#{CONFIDENT_ORG_API_KEY}#", "filled in"),
    "a key vault's reference": ("@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/k)", "looked up"),
    "an AWS secret's ARN": ("arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-AbCdEf", "looked up"),
    "None": ("None", "'None'"),
    "null": ("null", "'null'"),
    "NULL": ("NULL", "'NULL'"),
    "undefined": ("undefined", "'undefined'"),
    "nil": ("nil", "'nil'"),
}


def _filled(text: str) -> str:
    return text.replace("{secret}", "secret" * 4)


@FACES
@pytest.mark.parametrize("way", ["argument", "environment"])
@pytest.mark.parametrize("name", NO_VALUES)
def test_what_is_certainly_no_key_is_refused_with_the_reason(
    face: Face, name: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quotation marks around a key, an empty template and the text for nothing are refused, the key not shown."""
    text, why = NO_VALUES[name]
    key = _filled(text)
    if way == "environment":
        monkeypatch.setenv("CONFIDENT_ORG_API_KEY", key)
    with pytest.raises(ConfigurationError, match=why) as caught:
        face(key if way == "argument" else None)
    shown = shown_by(caught.value, but_for=__file__)
    assert "secret" * 4 not in shown
    assert ("CONFIDENT_ORG_API_KEY" if way == "environment" else "api_key") in str(caught.value)


@FACES
@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("CONFIDENT_ORG_API_KEY=confident_eu_org_" + "secret" * 4, "name of the variable"),
        ("export CONFIDENT_ORG_API_KEY=" + "secret" * 4, "name of the variable"),
        ("CONFIDENT_API_KEY=" + "secret" * 4, "name of the variable"),
        ('SecretStr("**********")', "masked"),
        ("***************" + "secret" * 4, "masked"),
        ("https://api.confident-ai.com/" + "secret" * 4, "URL"),
    ],
)
def test_what_was_copied_from_elsewhere_is_no_key(face: Face, key: str, why: str) -> None:
    """A whole line of a file, a key as a listing shows it, and a URL are refused as what they are."""
    with pytest.raises(ConfigurationError, match=why) as caught:
        face(key)
    assert "secret" * 4 not in shown_by(caught.value, but_for=__file__)


@pytest.mark.parametrize(
    "key",
    [
        "none-of-your-business",
        "a$b",
        "a{b}c",
        "100%",
        "%",
        "$",
        "a<b>",
        "it's",
        "nulls",
        "key=value",
        "a*b",
        "a!b!",
        "arn",
    ],
)
def test_what_may_be_a_key_is_taken(key: str) -> None:
    """Only what is certainly no key is refused: the server knows best."""
    assert _key(AsyncConfidentAI(key)) == key


@FACES
@pytest.mark.parametrize("name", NO_VALUES)
def test_what_is_certainly_no_url_and_no_region_is_refused_with_the_reason(
    face: Face, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base URL, the region and the proxy are refused for the same reasons, as arguments and in the environment."""
    text, why = NO_VALUES[name]
    wrong = _filled(text.replace("confident_", "https://confident_"))
    for options in ({"base_url": wrong}, {"region": wrong}, {"proxy": wrong}):
        with pytest.raises(ConfigurationError, match=why) as caught:
            face(KEY, **options)
        assert next(iter(options)) in str(caught.value)
    for variable in ("CONFIDENT_REGION", "CONFIDENT_BASE_URL"):
        monkeypatch.setenv(variable, wrong)
        with pytest.raises(ConfigurationError, match=why) as caught:
            face(KEY)
        assert variable in str(caught.value)


@FACES
def test_a_region_in_quotation_marks_is_refused(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """A region that kept the quotation marks of a file is not looked for as it is, and never the US."""
    monkeypatch.setenv("CONFIDENT_REGION", '"EU"')
    with pytest.raises(ConfigurationError, match="quotation marks"):
        face(KEY)


# The region -----------------------------------------------------------------------------------------------------------


def _base_url(key: str = KEY, **options: Any) -> str:
    blocking, core = ConfidentAI(key, **options), AsyncConfidentAI(key, **options)
    assert blocking.base_url == core.base_url
    return core.base_url


def test_the_regions_have_their_own_servers() -> None:
    """US, EU and AU are three servers, and AU is not the US."""
    assert US == "https://api.confident-ai.com"
    assert EU == "https://eu.api.confident-ai.com"
    assert AU == "https://au.api.confident-ai.com"


@pytest.mark.parametrize(("name", "url"), [("US", US), ("EU", EU), ("AU", AU), ("eu", EU), ("au", AU), (" EU\n", EU)])
def test_a_region_is_the_name_of_a_server(name: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A region, as an argument or in the environment, is its server; case and white space around it do not matter."""
    assert _base_url(region=name) == url
    monkeypatch.setenv("CONFIDENT_REGION", name)
    assert _base_url() == url


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("confident_us_org_" + "a" * 20, US),
        ("confident_eu_org_" + "a" * 20, EU),
        ("confident_au_org_" + "a" * 20, AU),
        ("confident_eu_proj_" + "a" * 20, EU),
        ("CONFIDENT_EU_ORG_" + "a" * 20, EU),
        ("confident_org_" + "a" * 20, US),
        ("confident_proj_" + "a" * 20, US),
        ("an-old-key", US),
        ("x_confident_eu_org_" + "a" * 20, US),
    ],
)
def test_a_keys_prefix_names_the_region(key: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without argument and environment the key's prefix decides, wherever the key comes from; else it is the US."""
    assert _base_url(key) == url
    monkeypatch.setenv("CONFIDENT_ORG_API_KEY", key)
    assert AsyncConfidentAI().base_url == url


def test_the_order_of_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, then the environment (its URL before its region), then the key's prefix, then the US."""
    key = "confident_eu_org_" + "a" * 20
    assert _base_url(key) == EU
    monkeypatch.setenv("CONFIDENT_REGION", "AU")
    assert _base_url(key) == AU
    monkeypatch.setenv("CONFIDENT_BASE_URL", "https://own.example")
    assert _base_url(key) == "https://own.example"
    assert _base_url(key, region="US") == US
    assert _base_url(key, base_url="https://other.example") == "https://other.example"


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_variable_is_as_good_as_none(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set to nothing is not set: the next one decides."""
    key = "confident_eu_org_" + "a" * 20
    monkeypatch.setenv("CONFIDENT_BASE_URL", empty)
    monkeypatch.setenv("CONFIDENT_REGION", empty)
    assert _base_url(key) == EU
    monkeypatch.setenv("CONFIDENT_REGION", "AU")
    assert _base_url(key) == AU


@pytest.mark.parametrize("name", ["UK", "DE", "USA", "us-east-1", "AP", "U S", "\uff35\uff33", "https://own.example"])
def test_an_unknown_region_is_an_error(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown region is a ConfigurationError that names the known ones, as an argument and in the environment."""
    for face in (AsyncConfidentAI, ConfidentAI):
        with pytest.raises(ConfigurationError, match="US, EU, AU"):
            face(KEY, region=name)
    monkeypatch.setenv("CONFIDENT_REGION", name)
    for face in (AsyncConfidentAI, ConfidentAI):
        with pytest.raises(ConfigurationError, match="CONFIDENT_REGION"):
            face(KEY)


def test_an_empty_region_argument_is_an_error() -> None:
    """An empty region= is not a wish for the US."""
    for name in ("", " "):
        with pytest.raises(ConfigurationError):
            AsyncConfidentAI(KEY, region=name)


@pytest.mark.parametrize("prefix", ["confident_uk_org_", "confident_xx_proj_", "CONFIDENT_JP_"])
def test_an_unknown_region_in_a_key_is_an_error(prefix: str) -> None:
    """A key of a region that this version does not know is not sent to the US; a URL or region settles it."""
    key = prefix + "secret" * 4
    with pytest.raises(ConfigurationError, match="prefix") as caught:
        AsyncConfidentAI(key)
    assert "secret" * 4 not in shown_by(caught.value, but_for=__file__)
    assert _base_url(key, region="EU") == EU
    assert _base_url(key, base_url="https://own.example") == "https://own.example"


@given(name=any_text())
def test_no_text_becomes_the_us_by_itself(name: str) -> None:
    """Whatever is given as a region is one of the three by its name, or an error."""
    try:
        url = Settings.resolve(KEY, region=name).base_url
    except ConfigurationError:
        assert name.strip().upper() not in REGIONS
    else:
        assert url == REGIONS[name.strip().upper()]


@FACES
def test_region_and_base_url_together_are_refused(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two answers to one question are an error, even when they agree; an argument and a variable are not two."""
    with pytest.raises(ConfigurationError, match="not both"):
        face(KEY, base_url=US, region="US")
    monkeypatch.setenv("CONFIDENT_BASE_URL", "https://own.example")
    assert face(KEY, region="EU").base_url == EU
    monkeypatch.setenv("CONFIDENT_REGION", "XX")
    assert face(KEY, base_url="https://other.example").base_url == "https://other.example"


@FACES
@pytest.mark.parametrize("option", ["base_url", "region"])
@pytest.mark.parametrize("value", [5, b"EU", ["EU"], True, object()])
def test_urls_and_regions_are_strings(face: Face, option: str, value: Any) -> None:
    """Another type is a TypeError that names the argument."""
    with pytest.raises(TypeError, match=option):
        face(KEY, **{option: value})


# The base URL ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_url", "used"),
    [
        ("https://own.example", "https://own.example"),
        ("https://own.example/", "https://own.example"),
        ("https://own.example:8443", "https://own.example:8443"),
        (" https://own.example\n", "https://own.example"),
        ("https://own.example/confident/api", "https://own.example/confident/api"),
        ("https://own.example/confident/api//", "https://own.example/confident/api"),
        ("https://own.example/a%20b", "https://own.example/a%20b"),
        ("HTTPS://own.example", "https://own.example"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_a_base_url_is_kept(given_url: str, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Host, port and path prefix stay as they are; white space around and slashes at the end go."""
    assert _base_url(base_url=given_url) == used
    monkeypatch.setenv("CONFIDENT_BASE_URL", given_url)
    assert _base_url() == used


@pytest.mark.parametrize("prefix", ["", "/", "/prefix", "/two/parts/", "/a%20b", "/%2e%2E"])
async def test_paths_are_added_to_the_path_prefix(prefix: str) -> None:
    """Behind a proxy with a path prefix the requests go under it, as it was written."""
    with scripted_server(answer(ORGANIZATION), answer({})) as server:
        async with AsyncConfidentAI(KEY, base_url=server.url + prefix) as client:
            await client.whoami()
            await client.request("GET", "/v1/new")
    assert [request.target for request in server.requests] == [
        f"{prefix.rstrip('/')}/v1/organization",
        f"{prefix.rstrip('/')}/v1/new",
    ]


REFUSED_URLS = [
    "",
    " ",
    "own.example",
    "//own.example",
    "/v1",
    "https://",
    "https:///v1",
    "https:own.example",
    "https://:443",
    "ftp://own.example",
    "file:///etc/passwd",
    "ws://own.example",
    "httpss://own.example",
    "unix:///run/api.sock",
    "javascript:alert(1)",
    "https://user:{secret}@own.example",
    "https://{secret}@own.example",
    "https://api.confident-ai.com@own.example",
    "https://api.confident-ai.com:443@own.example:443",
    "https://api.confident-ai.com%2f@own.example",
    "https://api.confident-ai.com\\@own.example",
    "https:\\\\own.example",
    "https://\u0430pi.confident-ai.com",
    "https://api.confident-ai.com\uff0fown.example",
    "https://api\u3002confident-ai.com",
    "https://@own.example",
    "https://own.example?key={secret}",
    "https://own.example/?",
    "https://own.example/#",
    "https://own.example/v1#{secret}",
    "https://own.example:port",
    "https://own.example:99999",
    "https://own.example:-1",
    "https://own.example:0",
    "https://own.example:65536",
    "https://own.example:+80",
    "https://own.example:8_0",
    "https://own.example:443:443",
    "https://1.2.3.4.5",
    "https://256.0.0.1",
    "https://127.1",
    "https://2130706433",
    "https://0x7f.0.0.1",
    "https://0x7f000001",
    "https://127.0.0.0x1",
    "https://own.example.1",
    "https://1.2.3.",
    "https://[::1",
    "https://[{secret}]",
    "https://own.example[::1]",
    "https://[::1]x",
    "https://[::1].own.example",
    "https://[::1]x:443",
    "https://[[::1]]",
    "http://[::1].own.example",
    "http://own.example[::1]",
    "https://own example",
    "https://own.example/a b",
    "https://own.example\\@other.example",
    "https://own.example/\0",
    "https://own.example/\x7f",
    "https://own.example/ä",
    "https://öwn.example",
    "https://own.example\u2100other.example",
    "https://own\ud800.example",
]


@FACES
@pytest.mark.parametrize("url", REFUSED_URLS)
def test_a_base_url_that_cannot_be_meant_is_refused(face: Face, url: str) -> None:
    """What is no plain https URL of a host is a ConfigurationError, which does not show what may be a password."""
    url = url.replace("{secret}", "secret" * 3)
    with pytest.raises(ConfigurationError, match="base_url") as caught:
        face(KEY, base_url=url, allow_insecure_http=True)
    assert "secret" * 3 not in "".join((str(caught.value), repr(caught.value), repr(vars(caught.value))))


@FACES
@pytest.mark.parametrize("proxy", ["http://own.example[::1]:1", "http://u:{secret}@[::1].own.example", "http://[::1]x"])
def test_a_proxy_with_something_around_its_brackets_is_refused(face: Face, proxy: str) -> None:
    """The rule for an IPv6 address in brackets is the same for a proxy's URL, whose password is not shown."""
    with pytest.raises(ConfigurationError, match="proxy must be a URL") as caught:
        face(KEY, base_url="http://localhost:1", proxy=proxy.replace("{secret}", "secret" * 3))
    assert "secret" * 3 not in shown_by(caught.value, but_for=__file__)
    face(KEY, base_url="http://localhost:1", proxy="http://user:password@[::1]:3128")


@pytest.mark.parametrize("character", ["\n", "\r", "\t", "\r\nX-Other: 1"])
def test_a_base_url_with_a_line_break_in_it_is_refused(character: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line breaks and tabs inside of a URL, which Python's parser drops silently, are refused."""
    url = f"https://own.exam{character}ple"
    with pytest.raises(ConfigurationError, match="base_url"):
        AsyncConfidentAI(KEY, base_url=url)
    monkeypatch.setenv("CONFIDENT_BASE_URL", url)
    with pytest.raises(ConfigurationError, match="CONFIDENT_BASE_URL"):
        AsyncConfidentAI(KEY)


@pytest.mark.parametrize("url", ["ftp://own.example", "https://u:p@own.example", "http://own.example"])
def test_a_refused_url_of_the_environment_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says that the environment variable is at fault."""
    monkeypatch.setenv("CONFIDENT_BASE_URL", url)
    with pytest.raises(ConfigurationError, match="CONFIDENT_BASE_URL"):
        AsyncConfidentAI(KEY)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "http://localhost:8000",
        "http://LOCALHOST:8000",
        "http://127.0.0.1",
        "http://127.0.0.1:8000/prefix",
        "http://127.255.255.254:1",
        "http://[::1]",
        "http://[::1]:8000",
        "http://[0:0:0:0:0:0:0:1]:8000",
    ],
)
def test_plain_http_is_for_this_machine(url: str) -> None:
    """localhost and every form of a loopback address may be plain http."""
    assert _base_url(base_url=url).lower() == url.lower()


@pytest.mark.parametrize(
    "host",
    [
        "own.example",
        "10.0.0.1",
        "192.168.0.1",
        "0.0.0.0",
        "[::]",
        "[2001:db8::1]",
        "128.0.0.1",
        "localhost.example",
        "notlocalhost",
        "emulator.localhost",  # which some systems ask the network's DNS for
        "own.example%2f.localhost",
        "127.0.0.1.example",
        "2130706433.example",
        "127.0.0.1@own.example".rpartition("@")[2],
        "api.confident-ai.com",
        "169.254.169.254",
    ],
)
def test_plain_http_to_another_machine_must_be_asked_for(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key does not go over plain http to another machine, unless the caller says that it may."""
    url = f"http://{host}:8000"
    for face in (AsyncConfidentAI, ConfidentAI):
        with pytest.raises(ConfigurationError, match="allow_insecure_http"):
            face(KEY, base_url=url)
    assert _base_url(base_url=url, allow_insecure_http=True) == url
    monkeypatch.setenv("CONFIDENT_BASE_URL", url)
    with pytest.raises(ConfigurationError, match="allow_insecure_http"):
        AsyncConfidentAI(KEY)
    assert _base_url(allow_insecure_http=True) == url


@given(url=any_text() | any_text().map("https://{}".format) | any_text().map("http://localhost{}".format))
def test_any_text_as_a_url_is_taken_or_refused(url: str) -> None:
    """Any text is a URL that begins with its scheme and has no end to trip over, or a ConfigurationError."""
    try:
        used = Settings.resolve(KEY, base_url=url).base_url
    except ConfigurationError:
        return
    assert used.startswith(("https://", "http://"))
    assert used.isascii()
    assert used.isprintable()
    assert not used.endswith("/")
    assert not set(used) & set(" @?#\\")


@FACES
@pytest.mark.parametrize("end", ["/v1", "/v2", "/v2/", "/V1//", "/behind/a/proxy/v2"])
def test_a_base_url_that_ends_in_a_version_is_refused(face: Face, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The paths have the version: with one at the base URL's end they would have two, so the error says to leave it."""
    with pytest.raises(ConfigurationError, match=r"base_url ends in /v[12]: leave that out.* api_version="):
        face(KEY, base_url=f"https://own.example{end}")
    monkeypatch.setenv("CONFIDENT_BASE_URL", f"https://own.example{end}")
    with pytest.raises(ConfigurationError, match=r"CONFIDENT_BASE_URL ends in /v[12]: leave that out"):
        face(KEY)


def test_a_version_elsewhere_in_a_base_url_is_its_own() -> None:
    """Only the end is where the paths begin."""
    for url in ("https://v1.example", "https://own.example/v1/confident", "https://own.example/v11"):
        assert _base_url(base_url=url) == url


# The version ----------------------------------------------------------------------------------------------------------


def test_every_version_that_may_be_named_is_spoken() -> None:
    """The names that are taken are those of the tables."""
    assert list(VERSIONS) == list(API_VERSIONS)
    assert [version.name for version in VERSIONS.values()] == list(API_VERSIONS)


@FACES
def test_the_version_is_an_argument_then_a_variable_then_v1(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """api_version= wins over CONFIDENT_API_VERSION, and a variable that is set to nothing is as good as none."""
    assert _version(face(KEY)) == "v1"
    monkeypatch.setenv("CONFIDENT_API_VERSION", " \n")
    assert _version(face(KEY)) == "v1"
    monkeypatch.setenv("CONFIDENT_API_VERSION", "v2\n")
    assert _version(face(KEY)) == "v2"
    assert _version(face(KEY, api_version="v1")) == "v1"
    assert _version(face(KEY, api_version=" v2 ").with_options(max_retries=0)) == "v2"


@FACES
@pytest.mark.parametrize("name", ["v3", "V2", "2", "latest", "v1,v2", "/v2", '"v2"', "${VERSION}"])
def test_an_unknown_version_is_an_error(face: Face, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a ConfigurationError that says where it comes from; there is no other version in its place."""
    for empty_or_unknown in (name, "", " "):
        with pytest.raises(ConfigurationError, match="api_version"):
            face(KEY, api_version=empty_or_unknown)
    monkeypatch.setenv("CONFIDENT_API_VERSION", name)
    with pytest.raises(ConfigurationError, match="CONFIDENT_API_VERSION"):
        face(KEY)


@FACES
@pytest.mark.parametrize("value", [2, b"v2", ["v2"], True])
def test_a_version_is_a_string(face: Face, value: Any) -> None:
    """Another type is a TypeError that names the argument."""
    with pytest.raises(TypeError, match="api_version must be a string"):
        face(KEY, api_version=value)


def _version(client: AsyncConfidentAI | ConfidentAI) -> str:
    core = client if isinstance(client, AsyncConfidentAI) else client._core
    return core._transport.version.name


# Limits ---------------------------------------------------------------------------------------------------------------


def _timeout(**options: Any) -> Timeout:
    core = AsyncConfidentAI(KEY, **options)
    assert ConfidentAI(KEY, **options)._core._transport.timeout == core._transport.timeout
    return core._transport.timeout


def test_the_default_timeout() -> None:
    """Without a word: 10 s to connect, 30 s of silence, 60 s in all."""
    assert _timeout() == Timeout() == Timeout(connect=10, read=30, total=60)


@pytest.mark.parametrize("seconds", [1, 0.5, 600, 1e-3])
def test_a_number_is_the_total(seconds: float) -> None:
    """A number of seconds is the total; the rest keeps its default."""
    assert _timeout(timeout=seconds) == Timeout(total=seconds)


def test_a_timeout_is_taken_as_it_is() -> None:
    """A Timeout is used as given, by the constructor and by with_options."""
    timeout = Timeout(connect=1, read=2.5, total=3)
    assert _timeout(timeout=timeout) == timeout
    assert AsyncConfidentAI(KEY).with_options(timeout=timeout)._transport.timeout == timeout


WRONG_SECONDS: dict[str, Any] = {
    "zero": 0,
    "negative": -1,
    "minus zero": -0.0,
    "not a number": math.nan,
    "infinite": math.inf,
    "minus infinite": -math.inf,
    "no float can hold it": 10**400,
}
WRONG_TYPES: dict[str, Any] = {
    "text": "10",
    "bool": True,
    "false": False,
    "list": [10],
    "bytes": b"10",
    "complex": 1j,
    "aiohttp's": aiohttp.ClientTimeout(total=1),
}


@pytest.mark.parametrize("name", WRONG_SECONDS)
def test_a_timeout_out_of_range_is_a_value_error(name: str) -> None:
    """Zero, negative and endless timeouts are a ValueError wherever a timeout is taken, naming the field."""
    seconds = WRONG_SECONDS[name]
    for face in (AsyncConfidentAI, ConfidentAI):
        with pytest.raises(ValueError, match="total"):
            face(KEY, timeout=seconds)
        with pytest.raises(ValueError, match="total"):
            face(KEY).with_options(timeout=seconds)
    for field in ("connect", "read", "total"):
        with pytest.raises(ValueError, match=field):
            Timeout(**{field: seconds})


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_a_timeout_of_another_type_is_a_type_error(name: str) -> None:
    """What is no number of seconds (a boolean is none) is a TypeError wherever a timeout is taken."""
    value = WRONG_TYPES[name]
    for face in (AsyncConfidentAI, ConfidentAI):
        with pytest.raises(TypeError, match="timeout"):
            face(KEY, timeout=value)
        with pytest.raises(TypeError, match="timeout"):
            face(KEY).with_options(timeout=value)
    for field in ("connect", "read", "total"):
        with pytest.raises(TypeError, match=field):
            Timeout(**{field: value})


def test_none_is_no_timeout_for_the_constructor() -> None:
    """There is no call without an end: timeout=None is a TypeError, as is None in a Timeout."""
    none: Any = None
    for face in (AsyncConfidentAI, ConfidentAI):
        with pytest.raises(TypeError, match="timeout"):
            face(KEY, timeout=none)
    with pytest.raises(TypeError, match="read"):
        Timeout(read=none)


@FACES
@pytest.mark.parametrize(("option", "minimum"), [("max_retries", 0), ("max_connections", 1)])
def test_counts_are_whole_numbers(face: Face, option: str, minimum: int) -> None:
    """max_retries from 0 and max_connections from 1, whole numbers; else a ValueError or TypeError that names it."""
    for value in (minimum, minimum + 1, 1000):
        face(KEY, **{option: value})
    for value in (minimum - 1, -100):
        with pytest.raises(ValueError, match=option):
            face(KEY, **{option: value})
    wrong: list[Any] = [True, False, 1.0, "1", None, math.nan, [1], b"1"]
    for value in wrong:
        with pytest.raises(TypeError, match=option):
            face(KEY, **{option: value})


@FACES
def test_with_options_checks_its_numbers(face: Face) -> None:
    """with_options takes the same max_retries as the constructor; None leaves all as it is."""
    client: Any = face(KEY, max_retries=1)
    with pytest.raises(ValueError, match="max_retries"):
        client.with_options(max_retries=-1)
    for value in (True, 1.5, "1"):
        with pytest.raises(TypeError, match="max_retries"):
            client.with_options(max_retries=value)
    view = client.with_options()
    core = view if isinstance(view, AsyncConfidentAI) else view._core
    assert core._transport.max_retries == 1
    assert core._transport.timeout == Timeout()


# session_factory ------------------------------------------------------------------------------------------------------


@FACES
@pytest.mark.parametrize("option", ["proxy", "ssl_context", "trust_env", "trace_configs"])
def test_a_session_of_the_callers_own_has_its_own_settings(face: Face, option: str) -> None:
    """session_factory together with any of the four options that it stands for is a ConfigurationError."""
    values: dict[str, Any] = {
        "proxy": "http://proxy.invalid",
        "ssl_context": ssl.create_default_context(),
        "trust_env": True,
        "trace_configs": [],
    }
    with pytest.raises(ConfigurationError, match="session_factory"):
        face(KEY, session_factory=aiohttp.ClientSession, **{option: values[option]})
    face(KEY, session_factory=aiohttp.ClientSession, trust_env=False)
    face(KEY, **{option: values[option]})


@FACES
def test_a_session_factory_that_makes_no_session(face: Face) -> None:
    """An asynchronous one, one that wants an argument and a generator function are refused by the constructor."""

    async def make() -> aiohttp.ClientSession:
        """Never run."""
        raise AssertionError

    def yield_one() -> Iterator[aiohttp.ClientSession]:
        """Run by nobody."""
        yield aiohttp.ClientSession()

    for factory in (make, functools.partial(make), yield_one, lambda loop: aiohttp.ClientSession(), make()):
        with pytest.raises(TypeError, match=r"^session_factory must be a"):
            face(KEY, session_factory=factory)
    face(KEY, session_factory=lambda: aiohttp.ClientSession())
    face(KEY, session_factory=functools.partial(aiohttp.ClientSession, trust_env=True))


# clock ----------------------------------------------------------------------------------------------------------------


@FACES
def test_a_clock_that_cannot_tell_the_time(face: Face) -> None:
    """A clock that would fail in the middle of a call, after a refusal or at a pause, is refused by the constructor."""

    class Asynchronous(SystemClock):
        async def now(self) -> Any:  # type: ignore[override]
            """Never run."""

    class InSteps(SystemClock):
        async def sleep(self, seconds: float, /) -> Any:
            """Run by nobody."""
            yield

    for clock in (time, SystemClock, object(), Asynchronous(), InSteps(), 5):
        with pytest.raises(TypeError, match=r"^clock(\.sleep)? must"):
            face(KEY, clock=clock)
    face(KEY, clock=SystemClock())
    face(KEY, clock=Mock())
