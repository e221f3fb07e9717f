"""Reading a route table from TOML; the messages for people stand here. Pure."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from ipaddress import ip_address
from typing import Any, NoReturn

from postroom.delivery.routing.table import (
    NamedRoute,
    Relay,
    RouteTable,
    Rule,
    SourceAddress,
    SourcePool,
    TableRejected,
)
from postroom.delivery.routing.warm_up import WarmUp
from postroom.delivery.smtp.target import RelayUrlError, SmtpTarget, TlsMode, parse_relay_url

_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_DOMAIN = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HELO = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?", re.ASCII)
_MOST_DAYS = 365


def read_table(text: str, *, source: str = "the table") -> RouteTable:
    """The table in a text; ``source`` is its file's name. Raises TableRejected."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise TableRejected(f"{source} is no TOML file: {wrong}") from None
    return _Reader(text, source).table(table)


class _Reader:
    """One file, with where its lines are."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._lines: dict[tuple[str, int, str], int] = {}
        header, seen = "", Counter[str]()
        for number, line in enumerate(text.splitlines(), 1):
            if found := _HEADER.fullmatch(line):
                header = found[1].replace('"', "")
                seen[header] += 1
                self._lines[header, seen[header], ""] = number
            elif found := _KEY.match(line):
                self._lines.setdefault((header, seen[header], found[1]), number)

    def table(self, table: Mapping[str, Any]) -> RouteTable:
        self._fields("", 0, "the file", table, ("rule", "route", "source"))
        sources = {name: self._source_pool(name, entry) for name, entry in self._named(table, "source")}
        for pool in sources.values():
            self._overflow(pool, sources)
        routes = {name: self._route(name, entry, sources) for name, entry in self._named(table, "route")}
        if not routes:
            self._wrong("", 0, "", "it names no route; write [route.NAME] with relays = [...] or mx = true")
        entries = table.get("rule")
        if not isinstance(entries, list) or not entries:
            self._wrong("", 0, "rule", 'it has no rule; write [[rule]] with route = "NAME", once for each')
        rules = tuple(self._rule(number, entry, routes) for number, entry in enumerate(entries, 1))
        for number, rule in enumerate(rules, 1):
            free = not (rule.domains or rule.suffixes or rule.definitions or rule.units)
            if free and number < len(rules):
                self._wrong(
                    "rule", number, "", f"rule {number} has no conditions, and rules follow; make it the last one"
                )
            if not free and number == len(rules):
                self._wrong(
                    "rule",
                    number,
                    "",
                    f"rule {number} is the last one and has conditions; end with a [[rule]] that has only a route",
                )
        return RouteTable(rules, routes, sources)

    # -- rules

    def _rule(self, number: int, entry: object, routes: Mapping[str, NamedRoute]) -> Rule:
        place = f"rule {number}"
        fields = self._fields("rule", number, place, entry, ("domain", "definition", "mid", "route"))
        route = fields.get("route")
        if not isinstance(route, str) or route not in routes:
            self._wrong(
                "rule", number, "route", f"{place}: route = {route!r} is no route; write one of {', '.join(routes)}"
            )
        domains, suffixes = [], []
        for domain in self._list("rule", number, place, fields, "domain", str):
            folded = domain.lower()
            if _DOMAIN.fullmatch(folded) is None:
                self._wrong(
                    "rule",
                    number,
                    "domain",
                    f"{place}: domain has {domain!r}; write example.com, or *.example.com for all names below it "
                    "(international names as xn--)",
                )
            if folded.startswith("*."):
                suffixes.append(folded[1:])
            else:
                domains.append(folded)
        return Rule(
            route=route,
            domains=frozenset(domains),
            suffixes=tuple(suffixes),
            definitions=frozenset(key.lower() for key in self._list("rule", number, place, fields, "definition", str)),
            units=frozenset(self._list("rule", number, place, fields, "mid", int)),
        )

    # -- routes

    def _route(self, name: str, entry: object, sources: Mapping[str, SourcePool]) -> NamedRoute:
        header, place = f"route.{name}", f"route {name}"
        fields = self._fields(header, 1, place, entry, ("relays", "mx", "tls", "connections", "source"))
        mx = fields.get("mx", False)
        if not isinstance(mx, bool):
            self._wrong(header, 1, "mx", f"{place}: mx = {mx!r}; write mx = true, or leave it out and name relays")
        if mx == ("relays" in fields):
            self._wrong(header, 1, "", f"{place}: give it relays = [...] or mx = true, one of the two")
        if mx and "connections" in fields:
            self._wrong(
                header,
                1,
                "connections",
                f"{place}: connections are for relays; POSTROOM_SHAPING has those of MX hosts",
            )
        tls = fields.get("tls")
        modes = [mode for mode in TlsMode if not (mx and mode is TlsMode.OFF)]
        if tls is not None and (not isinstance(tls, str) or tls not in modes):
            self._wrong(header, 1, "tls", f"{place}: tls = {tls!r}; write one of {', '.join(modes)}")
        source = fields.get("source")
        if source is not None and (not isinstance(source, str) or source not in sources):
            known = f"write one of {', '.join(sources)}" if sources else "write [source.NAME] with addresses = [...]"
            self._wrong(header, 1, "source", f"{place}: source = {source!r} is no source pool; {known}")
        if not mx and source is not None and sources[source].warm_up is not None:
            self._wrong(
                header,
                1,
                "source",
                f"{place}: source {source} has a warm_up, which is for MX hosts; give relays a pool without",
            )
        return NamedRoute(
            name=name,
            relays=self._relays(header, place, fields, tls) if not mx else (),
            connections=self._number(header, 1, place, fields, "connections", 1, 1000, 16),
            tls=TlsMode(tls) if tls is not None and mx else None,
            source=source,
        )

    def _relays(self, header: str, place: str, fields: Mapping[str, Any], tls: str | None) -> tuple[Relay, ...]:
        entries = fields["relays"]
        if not isinstance(entries, list) or not entries:
            self._wrong(header, 1, "relays", f'{place}: relays must be a list such as ["smtp://relay.example.com:587"]')
        relays: list[Relay] = []
        for number, each in enumerate(entries, 1):
            own = f"{place}, relay {number}"
            relay = {"url": each} if isinstance(each, str) else each
            values = self._fields(header, 1, own, relay, ("url", "priority", "weight"), "relays")
            target = self._target(header, own, values.get("url"), tls)
            if any((target.host, target.port) == (other.target.host, other.target.port) for other in relays):
                self._wrong(
                    header,
                    1,
                    "relays",
                    f"{own}: {target.host}:{target.port} is there twice; raise its weight instead",
                )
            relays.append(
                Relay(
                    target,
                    self._number(header, 1, own, values, "priority", 1, 100, 1, "relays"),
                    self._number(header, 1, own, values, "weight", 1, 1000, 1, "relays"),
                )
            )
        return tuple(relays)

    def _target(self, header: str, place: str, url: object, tls: str | None) -> SmtpTarget:
        if not isinstance(url, str):
            self._wrong(header, 1, "relays", f'{place}: url = {url!r}; write "smtp://relay.example.com:587"')
        chosen = f"{url}{'/' if url.count('/') < 3 else ''}?tls={tls}" if tls is not None and "?" not in url else url
        try:
            return parse_relay_url(chosen, option="url")
        except RelayUrlError as wrong:
            self._wrong(header, 1, "relays", f"{place}: {wrong}")

    # -- source pools

    def _source_pool(self, name: str, entry: object) -> SourcePool:
        header, place = f"source.{name}", f"source {name}"
        fields = self._fields(header, 1, place, entry, ("addresses", "warm_up", "overflow"))
        entries = fields.get("addresses")
        if not isinstance(entries, list) or not entries:
            self._wrong(header, 1, "addresses", f'{place}: addresses must be a list such as [{{ip = "192.0.2.1"}}]')
        addresses: list[SourceAddress] = []
        for number, each in enumerate(entries, 1):
            own = f"{place}, address {number}"
            address = {"ip": each} if isinstance(each, str) else each
            values = self._fields(header, 1, own, address, ("ip", "helo", "weight"), "addresses")
            ip = self._ip(header, own, values.get("ip"))
            if any(ip == other.ip for other in addresses):
                self._wrong(header, 1, "addresses", f"{own}: {ip} is there twice; raise its weight instead")
            helo = values.get("helo")
            if helo is not None and (not isinstance(helo, str) or _HELO.fullmatch(helo) is None):
                self._wrong(header, 1, "addresses", f"{own}: helo = {helo!r} is no host name; write mail.example.com")
            weight = self._number(header, 1, own, values, "weight", 1, 1000, 1, "addresses")
            addresses.append(SourceAddress(ip, helo, weight))
        warm_up = self._warm_up(header, place, fields["warm_up"]) if "warm_up" in fields else None
        overflow = fields.get("overflow")
        if overflow is not None and not isinstance(overflow, str):
            self._wrong(header, 1, "overflow", f"{place}: overflow = {overflow!r}; write the name of a source pool")
        if overflow is not None and warm_up is None:
            self._wrong(header, 1, "overflow", f"{place}: overflow is for what is beyond a warm_up, and there is none")
        return SourcePool(name, tuple(addresses), warm_up, overflow)

    def _ip(self, header: str, place: str, text: object) -> str:
        try:
            address = ip_address(text) if isinstance(text, str) else None
        except ValueError:
            address = None
        if address is None or address.is_unspecified or address.is_multicast:
            self._wrong(
                header,
                1,
                "addresses",
                f"{place}: ip = {text!r} is no address to send from; write it like 192.0.2.1",
            )
        return str(address)

    def _warm_up(self, header: str, place: str, entry: object) -> WarmUp:
        fields = self._fields(header, 1, f"{place}, warm_up", entry, ("since", "per_day"), "warm_up")
        since, per_day = fields.get("since"), fields.get("per_day")
        if not isinstance(since, date) or isinstance(since, datetime):
            self._wrong(header, 1, "warm_up", f"{place}, warm_up: since = {since!r}; write a date such as 2026-11-30")
        if not isinstance(per_day, list) or not _grows(per_day):
            self._wrong(
                header,
                1,
                "warm_up",
                f"{place}, warm_up: per_day = {per_day!r}; write messages for each day, never fewer "
                "than the day before, such as [50, 100, 200, 400]",
            )
        return WarmUp(since, tuple(per_day))

    def _overflow(self, pool: SourcePool, sources: Mapping[str, SourcePool]) -> None:
        seen, each = [pool.name], pool
        while each.overflow is not None:
            if each.overflow not in sources:
                self._wrong(
                    f"source.{each.name}",
                    1,
                    "overflow",
                    f"source {each.name}: overflow = {each.overflow!r} is no source pool; "
                    f"write one of {', '.join(sources)}",
                )
            if each.overflow in seen:
                self._wrong(
                    f"source.{each.name}",
                    1,
                    "overflow",
                    f"source {each.name}: overflow goes in a circle ({' -> '.join([*seen, each.overflow])}); "
                    "leave one out",
                )
            each = sources[each.overflow]
            seen.append(each.name)

    # -- shapes

    def _wrong(self, header: str, number: int, key: str, text: str) -> NoReturn:
        line = self._lines.get((header, number, key)) or self._lines.get((header, number, ""))
        raise TableRejected(f"{self._source}{f', line {line}' if line else ''}: {text}")

    def _fields(
        self, header: str, number: int, place: str, entry: object, names: Sequence[str], key: str = ""
    ) -> Mapping[str, Any]:
        if not isinstance(entry, Mapping):
            self._wrong(header, number, key, f"{place}: {entry!r} must be a table with {', '.join(names)}")
        for name in entry:
            if name not in names:
                self._wrong(header, number, key or name, f"{place}: {name!r} is unknown; write {', '.join(names)}")
        return entry

    def _named(self, table: Mapping[str, Any], kind: str) -> Iterable[tuple[str, object]]:
        entries = table.get(kind, {})
        if not isinstance(entries, Mapping):
            self._wrong("", 0, kind, f"{kind} must be written [{kind}.NAME]")
        for name, entry in entries.items():
            if _NAME.fullmatch(name) is None:
                self._wrong(
                    f"{kind}.{name}",
                    1,
                    "",
                    f"{kind} {name!r}: a name has up to 64 letters, digits, dots, dashes and underscores",
                )
            yield name, entry

    def _list(self, header: str, number: int, place: str, fields: Mapping[str, Any], key: str, kind: type) -> list[Any]:
        if key not in fields:
            return []
        value = fields[key]
        values = value if isinstance(value, list) else [value]
        if not values or not all(isinstance(each, kind) and not isinstance(each, bool) and each for each in values):
            wanted = "a text or a list of texts" if kind is str else "a number or a list of numbers"
            self._wrong(header, number, key, f"{place}: {key} = {value!r}; give {wanted}")
        return values

    def _number(
        self,
        header: str,
        number: int,
        place: str,
        fields: Mapping[str, Any],
        name: str,
        low: int,
        high: int,
        otherwise: int,
        key: str = "",
    ) -> int:
        value = fields.get(name, otherwise)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._wrong(
                header, number, key or name, f"{place}: {name} = {value!r}; give a whole number from {low} to {high}"
            )
        return value


def _grows(per_day: list[Any]) -> bool:
    whole = all(isinstance(each, int) and not isinstance(each, bool) and each > 0 for each in per_day)
    return whole and 1 <= len(per_day) <= _MOST_DAYS and sorted(per_day) == per_day
