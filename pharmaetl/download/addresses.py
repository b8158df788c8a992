"""Where a redirect may lead: never out of http, into a private network, or to another host with a secret in the URL."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urljoin, urlsplit

from pharmaetl import secret
from pharmaetl.errors import RefusedError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Public by its number, yet inside every Azure network: the platform's metadata and DNS service.
_METADATA = frozenset({ipaddress.IPv4Address("168.63.129.16")})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HINT = "nothing was taken from there; if the file has moved, put its new address into source_url"


def is_private(address: Address) -> bool:
    """Is the address anything but a public unicast one? An IPv4 address wrapped in an IPv6 one is judged by itself."""
    if isinstance(address, ipaddress.IPv6Address) and (inner := _wrapped(address)) is not None:
        return is_private(inner)
    return (
        not address.is_global
        or address.is_multicast
        or address.is_reserved
        or address in _METADATA
        or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    )


def addresses_of(host: str) -> list[Address]:
    """What a host name or literal stands for, as the system's resolver reads it: 2130706433 and 0x7f.1 are 127.0.0.1.

    Empty where it can't be resolved; then this machine can't connect to it either.
    """
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def redirected(current: str, location: str, *, first: str, allow_private_hosts: bool) -> str:
    """The URL that a redirect leads to; RefusedError where it must not be followed.

    `first` is the URL that the user gave: the host it names is as good as the user's word, private or not.
    Addresses are checked as resolved now; a name server that changes its answer before the connection isn't caught.
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
    if not allow_private_hosts and any(is_private(address) for address in addresses_of(new.hostname or "")):
        raise RefusedError(f"a redirect leads to {shown}, an address of a private network", hint=_HINT)
    return target


def same_site(first: str, other: str) -> bool:
    """Same host and port, or the same host's https in place of its http?"""
    one, two = urlsplit(first), urlsplit(other)
    ports = (one.port or _DEFAULT_PORTS.get(one.scheme), two.port or _DEFAULT_PORTS.get(two.scheme))
    return one.hostname == two.hostname and (ports[0] == ports[1] or ports == (80, 443))


def _joined(current: str, location: str) -> str:
    """The target as the HTTP client will read it, so that no second reading of the URL can differ from this check."""
    import requests

    try:
        target = urljoin(current, location)
        if urlsplit(target).scheme not in _DEFAULT_PORTS:
            return target
        prepared = (requests.Request("GET", target).prepare().url or "").partition("#")[0]
        if urlsplit(prepared).hostname:
            return prepared
    except (ValueError, requests.RequestException):
        pass
    # Raised out here, the error has no context: the library's own one would show the address.
    raise RefusedError("a redirect leads to an address that can't be read", hint=_HINT)


def _wrapped(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside a mapped (RFC 4291), 6to4 (RFC 3056) or NAT64 (RFC 6052) one."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
