"""The proxy for a server according to the environment variables, including `NO_PROXY`."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def proxy_from_environment(url: str) -> str | None:
    """Return the URL of the proxy for a server from the environment variables; None to connect directly.

    Loopback addresses do not use a proxy. `NO_PROXY` is a list of exceptions, separated by commas or blanks: a host
    (`studio.example`, which includes its subdomains, as do `.studio.example` and `*.studio.example`), an address
    (`10.1.2.3`, `fd00::1`, `[fd00::1]`), a network (`10.0.0.0/8`), a pattern (`192.168.*`), each optionally with a port
    (`studio.example:9090`); or `*` for every server.

    Args:
        url: the URL of the server.
    """
    parts = urlsplit(url)
    if is_loopback(parts.hostname or ""):
        return None
    # Imported here, as it is slow, and is not needed for a server on this machine.
    import urllib.request

    proxies = urllib.request.getproxies()
    excepted = str(proxies.get("no") or "")
    if any(_excepts(entry, parts) for entry in re.split(r"[\s,]+", excepted)):
        return None
    if urllib.request.proxy_bypass(parts.netloc):
        # Exceptions may also come from the system settings of macOS and Windows.
        return None
    found = proxies.get(parts.scheme)
    # On many machines, the variables contain an address without a scheme.
    return f"http://{found}" if found and "://" not in found else found or None


def is_loopback(host: str) -> bool:
    """Return whether a host is a loopback address."""
    address = _address(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback


def _excepts(entry: str, server: SplitResult) -> bool:
    """Return whether an entry of `NO_PROXY` matches a server."""
    entry = entry.strip().lower()
    if not entry or entry == "*":
        return bool(entry)
    host, port = _parted(entry)
    if port and port != str(server.port or _DEFAULT_PORTS.get(server.scheme)):
        return False
    name = (server.hostname or "").lower().rstrip(".")
    address = _address(name)
    if address is not None:
        return _has_address(host, address)
    domain = host.removeprefix("*").lstrip(".").rstrip(".")
    if "*" in domain:
        return fnmatch.fnmatchcase(name, domain)
    return bool(domain) and (name == domain or name.endswith(f".{domain}"))


def _parted(entry: str) -> tuple[str, str]:
    """Split an entry into host and port; the port is "" if there is none."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(\d+))?", entry)
    if bracketed:
        return bracketed[1], bracketed[2] or ""
    if entry.count(":") > 1:
        return entry, ""  # an IPv6 address without brackets cannot have a port
    host, _, port = entry.partition(":")
    return host, port


def _has_address(host: str, address: Address) -> bool:
    if "*" in host:
        return fnmatch.fnmatchcase(str(address), host)
    try:
        network = ipaddress.ip_network(host, strict=False)
    except ValueError:
        return False
    return network.version == address.version and address in network


def _address(host: str) -> Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped
