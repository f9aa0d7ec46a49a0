"""Hosts of addresses: names, IPv4 and IPv6. Pure."""


def url_host(host: str) -> str:
    """Return a host as it stands in a URL: IPv6 addresses have brackets."""
    return f"[{host}]" if ":" in host else host
