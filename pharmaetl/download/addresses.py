"""Where a request may go: never out of http, into a private network, or to another host with a secret in the URL."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urljoin, urlsplit

from pharmaetl import secret
from pharmaetl.errors import RefusedError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Python's own list of what is global differs between patch releases; these are in every one of ours.
_NEVER = tuple(
    ipaddress.ip_network(block)
    for block in (
        "168.63.129.16/32",  # public by its number, yet in every Azure network the platform's metadata and DNS service
        "100.64.0.0/10",  # RFC 6598, carriers' NAT; Alibaba's metadata service
        "192.0.0.0/24",  # RFC 6890; Oracle's metadata service
        "192.88.99.0/24",  # RFC 7526
        "64:ff9b:1::/48",  # RFC 8215, local NAT64
        "2001::/32",  # RFC 4380, Teredo: any IPv4 address may be inside
        "3fff::/20",  # RFC 9637
        "5f00::/16",  # RFC 9602
    )
)
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOST_ADDRESSES = 8
_HINT = "nothing was taken from there; if the file has moved, put its new address into source_url"
_PRIVATE_HINT = (
    "nothing was asked of it; where that network is meant: --allow-private-hosts, or allow_private_hosts in the config"
)


def is_private(address: Address) -> bool:
    """Is the address anything but a public unicast one? An IPv4 address wrapped in an IPv6 one is judged by itself."""
    if isinstance(address, ipaddress.IPv6Address) and (inner := _wrapped(address)) is not None:
        return is_private(inner)
    return (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or any(address.version == block.version and address in block for block in _NEVER)
        or (isinstance(address, ipaddress.IPv6Address) and (address.is_site_local or _interface(address) in _ISATAP))
    )


def _is_of_the_platform(address: Address) -> bool:
    """Is it where clouds keep a machine's metadata and credentials? Nobody's source file is there."""
    if isinstance(address, ipaddress.IPv6Address) and (inner := _wrapped(address)) is not None:
        return _is_of_the_platform(inner)
    return address.is_link_local or str(address) in {"fd00:ec2::254", "168.63.129.16", "100.100.100.200", "192.0.0.192"}


class AddressBook:
    """The addresses of host names for one download. Each is looked up once: what was judged is what is connected to.

    The host of `url`, which the user gave, may be private; no other one, unless `allow_private_hosts`.
    """

    def __init__(self, url: str, *, allow_private_hosts: bool) -> None:
        self._own = _host(_as_requested(url))
        self._allow_private_hosts = allow_private_hosts
        self._found: dict[str, tuple[str, ...]] = {}

    def addresses(self, host: str) -> tuple[str, ...]:
        """Where to connect to for a host name or literal, as the system's resolver reads it: 0x7f.1 is 127.0.0.1.

        Raises RefusedError where one of its addresses must not be asked, and socket.gaierror where there is none.
        """
        found = self._look_up(host)
        if not self._allow_private_hosts:
            wrong = _is_of_the_platform if _bare(host) == self._own else is_private
            if any(wrong(_address(text)) for text in found):
                reason = f"{secret.redact(host)} stands for an address of a private network"
                raise RefusedError(reason, hint=_PRIVATE_HINT)
        return found

    def is_private(self, host: str) -> bool:
        """Does the host stand for a private address? One that can't be looked up doesn't: it isn't reached either.

        Behind a proxy that alone knows names, this holds for addresses written as numbers only.
        """
        try:
            return any(is_private(_address(text)) for text in self._look_up(host))
        except (OSError, UnicodeError):
            return False

    def _look_up(self, host: str) -> tuple[str, ...]:
        key = _bare(host)
        if key not in self._found:
            entries = socket.getaddrinfo(key, None, type=socket.SOCK_STREAM)
            self._found[key] = tuple(dict.fromkeys(_numeric(entry[4]) for entry in entries))[:_MOST_ADDRESSES]
        return self._found[key]


def redirected(current: str, location: str, *, first: str, book: AddressBook, allow_private_hosts: bool) -> str:
    """The URL that a redirect leads to; RefusedError where it must not be followed.

    `first` is the URL that the user gave: the host it names is as good as the user's word, private or not.
    """
    target = _joined(current, location)
    old, new = urlsplit(current), urlsplit(target)
    shown = f"{new.scheme}://{secret.shown_host(target)}"
    if new.scheme not in _DEFAULT_PORTS:
        raise RefusedError(f"a redirect leads to a {secret.redact(new.scheme)} address", hint=_HINT)
    if old.scheme == "https" and new.scheme == "http":
        raise RefusedError(f"a redirect leads from https to {shown}, without encryption", hint=_HINT)
    if same_site(first, target):
        return target
    if secret.holds_secret(first):
        meant_for = secret.shown_host(first)
        raise RefusedError(f"a redirect leads to {shown}, and the URL holds a secret meant for {meant_for}", hint=_HINT)
    if not allow_private_hosts and book.is_private(new.hostname or ""):
        raise RefusedError(f"a redirect leads to {shown}, an address of a private network", hint=_PRIVATE_HINT)
    return target


def same_site(first: str, other: str) -> bool:
    """Same host and port, or the same host's https in place of its http?"""
    one, two = urlsplit(first), urlsplit(other)
    ports = (one.port or _DEFAULT_PORTS.get(one.scheme), two.port or _DEFAULT_PORTS.get(two.scheme))
    return one.hostname == two.hostname and (ports[0] == ports[1] or ports == (80, 443))


def _joined(current: str, location: str) -> str:
    """The target as the HTTP client will read it, so that no second reading of the URL can differ from this check."""
    try:
        target = urljoin(current, location)
        if urlsplit(target).scheme not in _DEFAULT_PORTS:
            return target
    except ValueError:
        target = ""
    if not (prepared := _as_requested(target)):
        raise RefusedError("a redirect leads to an address that can't be read", hint=_HINT)
    return prepared


def _as_requested(url: str) -> str:
    """The URL as requests reads it, with an ASCII host; empty where it can't be requested."""
    import requests

    try:
        prepared = (requests.Request("GET", url).prepare().url or "").partition("#")[0]
        return prepared if _host(prepared) else ""
    except (ValueError, requests.RequestException):
        # The caller's own error has no context then: the library's one would show the address.
        return ""


def _host(url: str) -> str:
    return _bare(urlsplit(url).hostname or "")


def _bare(host: str) -> str:
    """A host without brackets and final dot; %25 is how a URL writes the % before an interface (RFC 6874)."""
    return host.strip("[]").rstrip(".").replace("%25", "%").lower()


def _numeric(place: tuple[object, ...]) -> str:
    """The address of an entry of getaddrinfo, with the interface where it is a link-local one."""
    text, scope = str(place[0]), place[3] if len(place) > 3 else 0
    return f"{text}%{scope}" if scope and "%" not in text else text


def _address(text: str) -> Address:
    return ipaddress.ip_address(text.partition("%")[0])


def _interface(address: ipaddress.IPv6Address) -> int:
    """What in the lower half tells an ISATAP address (RFC 5214), whose end is an IPv4 address."""
    return (int(address) >> 32) & 0xFFFFFFFF


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside a mapped (RFC 4291), 6to4 (RFC 3056) or NAT64 (RFC 6052) one."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
