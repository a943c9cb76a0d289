"""Addresses of machines: IP, MAC, and universally unique identifiers."""

import ipaddress

import numpy as np
import pyarrow as pa

from tacit.anonymize.identify.recognizers.recognizer import Mask, Recognizer, within

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_HEX = "[0-9A-Fa-f]"


def ip(values: pa.Array) -> Mask:
    """Return which texts are IP addresses, version 4 or 6 (RFC 4291, section 2.2)."""
    return np.array([_is_ip(text) for text in values.to_pylist()], dtype=bool)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip())
    except ValueError:
        return False
    return True


IP_4 = Recognizer(
    kind="ip",
    name="IP address",
    whole=rf"{_OCTET}(\.{_OCTET}){{3}}",
    inside=rf"(?<![0-9A-Za-z.])(?:{_OCTET}(?:\.{_OCTET}){{3}})(?![0-9A-Za-z]|\.[0-9])",
    screen=r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
    alone=0.95,
)
IP_6 = Recognizer(
    kind="ip",
    name="IP address, version 6",
    whole=rf"{_HEX}{{0,4}}(:{_HEX}{{0,4}}){{2,7}}",
    inside=rf"(?<![0-9A-Za-z:])(?:{_HEX}{{0,4}}(?::{_HEX}{{0,4}}){{3,7}}|{_HEX}{{0,4}}::(?:{_HEX}{{1,4}}:?){{1,6}})(?![0-9A-Za-z:])",
    screen=rf":{_HEX}{{0,4}}:",
    alone=0.3,
    valid=ip,
    checked=0.95,
    check="form of an IPv6 address",
)
MAC = Recognizer(
    kind="device",
    name="MAC address",
    whole=rf"{_HEX}{{2}}([:-]{_HEX}{{2}}){{5}}|{_HEX}{{4}}(\.{_HEX}{{4}}){{2}}",
    inside=rf"(?<![0-9A-Za-z:-])(?:{_HEX}{{2}}(?:[:-]{_HEX}{{2}}){{5}}|{_HEX}{{4}}(?:\.{_HEX}{{4}}){{2}})(?![0-9A-Za-z:-])",
    screen=rf"{_HEX}{{2}}[:-]{_HEX}{{2}}[:-]|{_HEX}{{4}}\.{_HEX}{{4}}\.",
    alone=0.9,
)
UUID = Recognizer(
    kind="identifier",
    name="UUID",
    whole=rf"{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}",
    inside=within(rf"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"),
    screen=rf"-{_HEX}{{4}}-{_HEX}{{12}}",
    alone=0.95,
)
