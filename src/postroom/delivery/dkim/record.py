"""The key record of RFC 6376 §3.6.1, as it is published and as it is read."""


def key_name(selector: str, domain: str) -> str:
    """Where the record of a key stands."""
    return f"{selector}._domainkey.{domain}"


def key_value(algorithm: str, public_key: str) -> str:
    """The text of the record; ``algorithm`` is rsa or ed25519, ``public_key`` in base64."""
    return f"v=DKIM1; k={algorithm}; p={public_key}"


def tags(text: str) -> dict[str, str]:
    """The tags of a tag list (RFC 6376 §3.2), blanks taken out of their values; what is no tag is left out."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            found.setdefault(name.strip(), "".join(value.split()))
    return found


def record_fault(text: str, algorithm: str, public_key: str) -> str:
    """Why a published record does not let the key's signatures be verified, or the empty text when it does."""
    published = tags(text)
    if published.get("v", "DKIM1") != "DKIM1":
        return f"begins with v={published['v']} and must begin with v=DKIM1"
    if published.get("k", "rsa") != algorithm:
        return f"is for k={published.get('k', 'rsa')} keys and the key is {algorithm}"
    if "p" not in published:
        return "has no p= with the key in it"
    if not published["p"]:
        return "says that the key is revoked (p= is empty)"
    if published["p"] != public_key:
        return "holds another key (its p= differs)"
    return ""
