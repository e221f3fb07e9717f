"""The cases of `make bench`, and the servers they need. A server starts when the first case asks for it."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from benchmarks import dkim, limits
from benchmarks.cpu import CpuMeter
from benchmarks.figures import Case, Run, RunFunction, percentile
from benchmarks.http_load import Load, send_all
from benchmarks.mx import MxBench
from benchmarks.opendkim import OpenDkim
from benchmarks.postfix import SESSIONS, SOURCE, Postfix
from benchmarks.processes import Child, ProgramFailed, until
from benchmarks.sends import BATCH, Recipients
from benchmarks.servers import ApiGroup, ApiServers, WholeServer, relay_on
from benchmarks.sink import Sink
from benchmarks.wrk import WrkRun, clicks, single_sends, status_reads
from uuid_utils.compat import uuid7

from postroom.content.link_tokens import LinkMessage, link_part
from postroom.tenancy.link_keys import load_link_tokens

_FINAL_EVENTS = """
select count(*) filter (where kind = 'sent') as sent, count(*) filter (where kind = 'not_sent') as not_sent
from event where event_id > $1
"""
_EVENT_ID = "select case when is_called then last_value else 0 end from event_id"
# What delivery leaves behind: a final event for each message, and nothing in the queue.
_ALL_SENT = """
insert into event (account_id, occurred_on, occurred_at, request_id, position, definition_id, kind)
select m.account_id, m.accepted_on, r.accepted_at, m.request_id, m.position, r.definition_id, 'sent'
from message m join send_request r using (account_id, accepted_on, request_id)
"""
_CLICKS = "select count(*) from event where event_id > $1 and kind = 'clicked'"
_VERSION = "select account_id, version_id from definition_version order by version_id desc limit 1"
_CLICKED_MAILS = 50_000
_STORED_RUN = 100_000
# The order mail has about 10,080 bytes. Postfix adds its Received line to what smtp-source makes, and the sink is to
# read as much for each message from either.
_MAIL_BYTES = 10_080
_SOURCE_BYTES = 9_770
# An RSA-2048 signature with its tags takes some 600.
_SIGNATURE_BYTES = 400


@dataclass(frozen=True, slots=True)
class Size:
    """How much each run does."""

    accept_recipients: int
    single_seconds: int
    end_to_end_messages: int
    end_to_end_requests: int
    postfix_messages: int
    limit_messages: int
    signed_messages: int
    stored_messages: int
    mx_messages: int


FULL = Size(200_000, 5, 40_000, 20, 8_000, 30_000, 20_000, 1_000_000, 12_000)
QUICK = Size(60_000, 2, 12_000, 6, 2_400, 10_000, 5_000, 100_000, 4_000)


class Bench:
    """Everything that is measured. Close it by leaving its context: all processes end."""

    def __init__(self, folder: Path, size: Size) -> None:
        self._folder = folder
        self._size = size
        self._held = AsyncExitStack()
        self._recipients = Recipients(max(size.accept_recipients, size.end_to_end_messages, _STORED_RUN))
        self._api: ApiServers | None = None
        self._groups: list[ApiGroup] = []
        self._filled: tuple[ApiServers, ApiGroup] | None = None
        self._whole: tuple[WholeServer, Sink] | None = None
        self._postfix: tuple[Postfix, Sink] | None = None
        self._signed_whole: tuple[WholeServer, Sink] | None = None
        self._signed_postfix: tuple[Postfix, Sink] | None = None
        self._limit_sink: Sink | None = None
        self._mx = MxBench(folder, size.mx_messages)
        self._held.push_async_callback(self._mx.close)

    async def __aenter__(self) -> "Bench":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._held.aclose()

    def cases(self) -> list[Case]:
        """All cases, in the order in which each round runs them."""
        return [
            Case("accept", "durable accept, 2,000 a request, 1 API process", "rate", "recipients/s", self._accepts(0)),
            Case(
                "accept-2", "durable accept, 2,000 a request, 2 API processes", "rate", "recipients/s", self._accepts(1)
            ),
            Case("single", "single sends, 64 connections, 1 API process", "rate", "requests/s", self._singles(0)),
            Case("single-2", "single sends, 64 connections, 2 API processes", "rate", "requests/s", self._singles(1)),
            Case("clicks", "click redirects, 64 connections, 1 API process", "rate", "requests/s", self._clicks),
            Case("status", self._status_title(), "rate", "requests/s", self._statuses),
            Case("end-to-end", "POST to durable status, known contacts", "rate", "messages/s", self._end_to_end("c")),
            Case("postfix", "Postfix relaying the same size", "rate", "messages/s", self._relay),
            Case("end-to-end-new", "POST to durable status, new contacts", "rate", "messages/s", self._end_to_end("")),
            Case("signed", "POST to durable status, RSA-2048 signed", "rate", "messages/s", self._signed),
            Case("postfix-signed", "Postfix + OpenDKIM, same size", "rate", "messages/s", self._signed_relay),
            Case("mx", "POST to durable status, to 20 MX hosts", "rate", "messages/s", self._mx.case(slow=False)),
            Case("mx-slow", "the same, one host slow", "rate", "messages/s", self._mx.case(slow=True)),
            Case("sign", "signing alone, all cores", "rate", "mails/s", self._sign),
            Case("sign-one", "signing alone, one signature at a time", "rate", "mails/s", self._sign_one),
            Case("openssl", "openssl speed rsa2048, all cores", "rate", "signatures/s", self._openssl),
            Case("compose", "limit: compose, one core", "us", "us/mail", self._compose),
            Case("smtp-client", "limit: SMTP client to the sink", "rate", "messages/s", self._smtp_client),
            Case("copy", "limit: COPY, one connection", "rate", "rows/s", self._copy),
            Case("fdatasync", "limit: 4 KiB fdatasync", "ms", "ms", self._fdatasync),
        ]

    # -- accepting

    def _accepts(self, group: int) -> RunFunction:
        async def run(number: int) -> Run:
            servers, groups = await self._api_servers()
            count = self._size.accept_recipients
            target = groups[group]
            requests = self._recipients.requests(
                f"a{group}r{number}", count, batch=BATCH, host="127.0.0.1", token=servers.token
            )
            async with _stored(servers.dsn) as stored:
                meter = CpuMeter({"api": target.pids, "postgresql": [_pid(servers)]}).start()
                load = await send_all(target.address, requests, connections=4)
                cpu = meter.stop()
            _all_accepted(load)
            if stored.messages != count:
                raise ProgramFailed(f"{count} messages were answered with 202 and {stored.messages} are stored")
            return {
                "rate": count / load.seconds,
                "us CPU api": cpu["api"] / count * 1e6,
                "us CPU postgresql": cpu["postgresql"] / count * 1e6,
                "us CPU client": load.cpu_seconds / count * 1e6,
                "p50 ms": percentile(load.latencies, 0.5) * 1e3,
                "p99 ms": percentile(load.latencies, 0.99) * 1e3,
            }

        return run

    def _singles(self, group: int) -> RunFunction:
        async def run(number: int) -> Run:
            servers, groups = await self._api_servers()
            target = groups[group]
            async with _stored(servers.dsn) as stored:
                meter = CpuMeter({"api": target.pids, "postgresql": [_pid(servers)]}).start()
                sends = await single_sends(
                    target.address,
                    token=servers.token,
                    run=f"s{group}r{number}",
                    connections=64,
                    seconds=self._size.single_seconds,
                )
                cpu = meter.stop()
            answered = sends.report.requests
            # What was on its way when wrk stopped is stored as well.
            if not answered <= stored.messages <= answered + 64:
                raise ProgramFailed(f"{answered} single sends were answered with 202, {stored.messages} are stored")
            return _wrk_figures(sends, cpu)

        return run

    # -- clicks

    async def _clicks(self, number: int) -> Run:
        """Every redirect that was answered must be in the event log in the end."""
        servers, (group, *_) = await self._api_servers()
        connection = await asyncpg.connect(servers.dsn)
        try:
            paths = self._folder / f"clicks-{number}"
            paths.write_text("\n".join(await _click_paths(connection)))
            last_event = await connection.fetchval(_EVENT_ID)
            meter = CpuMeter({"api": group.pids, "postgresql": [_pid(servers)]}).start()
            found = await clicks(group.address, paths, connections=64, seconds=self._size.single_seconds)
            cpu = meter.stop()
            answered, logged = found.report.requests, 0
            begun = time.perf_counter()
            while logged < answered and time.perf_counter() - begun < 30:
                await asyncio.sleep(0.1)
                logged = await connection.fetchval(_CLICKS, last_event)
        finally:
            await connection.close()
        if not answered <= logged <= answered + 64:
            raise ProgramFailed(f"{answered} clicks were answered, {logged} are in the log")
        return _wrk_figures(found, cpu)

    # -- statuses

    def _status_title(self) -> str:
        return f"status reads, 64 connections, {self._size.stored_messages:,} messages stored, 1 API process"

    async def _statuses(self, number: int) -> Run:
        servers, group = await self._filled_server()
        meter = CpuMeter({"api": group.pids, "postgresql": [_pid(servers)]}).start()
        reads = await self._read(servers, group, self._size.single_seconds)
        return _wrk_figures(reads, meter.stop())

    async def _read(self, servers: ApiServers, group: ApiGroup, seconds: int) -> WrkRun:
        runs = self._size.stored_messages // _STORED_RUN
        return await status_reads(
            group.address, token=servers.token, runs=runs, count=_STORED_RUN, connections=64, seconds=seconds
        )

    async def _filled_server(self) -> tuple[ApiServers, ApiGroup]:
        """An API process on a database of its own with all the messages, each of them sent."""
        if self._filled is None:
            folder = self._folder / "filled"
            folder.mkdir(mode=0o755)
            servers = ApiServers(folder)
            self._held.push_async_callback(servers.stop)
            (group,) = await servers.start([1])
            for run in range(self._size.stored_messages // _STORED_RUN):
                requests = self._recipients.requests(
                    f"stored{run}", _STORED_RUN, batch=BATCH, host="127.0.0.1", token=servers.token
                )
                _all_accepted(await send_all(group.address, requests, connections=4))
            connection = await asyncpg.connect(servers.dsn)
            try:
                await connection.execute(_ALL_SENT)
                await connection.execute("truncate queue")
                await connection.execute("analyze")
                stored = await connection.fetchval("select count(*) from event where kind = 'sent'")
            finally:
                await connection.close()
            if stored != self._size.stored_messages:
                raise ProgramFailed(f"{stored} messages are stored, not {self._size.stored_messages}")
            await self._read(servers, group, 1)
            self._filled = servers, group
        return self._filled

    async def _api_servers(self) -> tuple[ApiServers, list[ApiGroup]]:
        if self._api is None:
            servers = ApiServers(self._folder)
            self._held.push_async_callback(servers.stop)
            self._groups = await servers.start([1, 2])
            for place, group in enumerate(self._groups):
                warm = self._recipients.requests(
                    f"warm{place}", 8 * BATCH, batch=BATCH, host="127.0.0.1", token=servers.token
                )
                _all_accepted(await send_all(group.address, warm, connections=4))
                await single_sends(group.address, token=servers.token, run=f"warmup{place}", connections=64, seconds=1)
            self._api = servers
        return self._api, self._groups

    # -- end to end

    def _end_to_end(self, kind: str) -> RunFunction:
        async def run(number: int) -> Run:
            server, sink = await self._whole_server()
            count = self._size.end_to_end_messages
            batch = count // self._size.end_to_end_requests
            return await self._deliver(
                server, sink, f"e{kind}r{number}", count=count, batch=batch, new_contacts=not kind
            )

        return run

    async def _deliver(
        self, server: WholeServer, sink: Sink, run: str, *, count: int, batch: int, new_contacts: bool
    ) -> Run:
        requests = self._recipients.requests(
            run, count, batch=batch, host="127.0.0.1", token=server.token, new_contacts=new_contacts
        )
        connection = await asyncpg.connect(server.dsn)
        try:
            last_event = await connection.fetchval(_EVENT_ID)
            taken_before, bytes_before = sink.messages(), sink.bytes_read()
            meter = CpuMeter(server.roots() | {"sink": [sink.pid]}).start()
            begun = time.perf_counter()
            posting = asyncio.ensure_future(send_all(server.address, requests, connections=4))
            not_sent = await _all_final(connection, last_event, count, begun)
            seconds = time.perf_counter() - begun
            cpu = meter.stop()
            load = await posting
        finally:
            await connection.close()
        _all_accepted(load)
        if not_sent:
            raise ProgramFailed(f"{not_sent} of {count} messages were not sent")
        await until(
            lambda: sink.messages() - taken_before >= count, every=0.02, within=5, what=f"the sink has {count} messages"
        )
        taken = sink.messages() - taken_before
        if taken != count:
            raise ProgramFailed(f"{count} messages are reported as sent and the sink took {taken}")
        return {
            "rate": count / seconds,
            "accepted after s": load.seconds,
            "bytes each": (sink.bytes_read() - bytes_before) / count,
            "us CPU client": load.cpu_seconds / count * 1e6,
        } | _each(cpu, count)

    async def _whole_server(self) -> tuple[WholeServer, Sink]:
        if self._whole is None:
            sink = await self._sink()
            server = WholeServer(self._folder, relay_on(sink.port))
            self._held.push_async_callback(server.stop)
            await server.start()
            # Every known contact is known from here on.
            await self._deliver(
                server, sink, "warm", count=self._size.end_to_end_messages, batch=BATCH, new_contacts=False
            )
            self._whole = server, sink
        return self._whole

    async def _relay(self, number: int) -> Run:
        if self._postfix is None:
            sink = await self._sink()
            postfix = Postfix(self._folder, sink.port)
            self._held.push_async_callback(postfix.stop)
            await postfix.start()
            self._postfix = postfix, sink
            await self._relayed(postfix, sink, 400, "warm")
        postfix, sink = self._postfix
        return await self._relayed(postfix, sink, self._size.postfix_messages, str(number))

    async def _relayed(self, postfix: Postfix, sink: Sink, count: int, run: str) -> Run:
        taken_before, bytes_before = sink.messages(), sink.bytes_read()
        meter = CpuMeter({"postfix": postfix.roots(), "sink": [sink.pid]}).start()
        begun = time.perf_counter()
        source = Child(
            [
                *(SOURCE, "-s", str(SESSIONS), "-m", str(count), "-l", str(_SOURCE_BYTES)),
                *("-f", "shop@example.com", "-t", "person@example.com", f"127.0.0.1:{postfix.port}"),
            ],
            log=self._folder / f"smtp-source-{run}.log",
        )
        try:
            await until(
                lambda: sink.messages() - taken_before >= count,
                every=0.01,
                within=120,
                what=f"Postfix relays {count} messages",
            )
            seconds = time.perf_counter() - begun
            cpu = meter.stop()
            await source.ended(10)
        finally:
            await source.stop()
        taken = sink.messages() - taken_before
        if taken != count:
            raise ProgramFailed(f"Postfix was given {count} messages and the sink took {taken}")
        return {"rate": count / seconds, "bytes each": (sink.bytes_read() - bytes_before) / count} | _each(cpu, count)

    # -- signed

    async def _signed(self, number: int) -> Run:
        if self._signed_whole is None:
            sink = await self._sink()
            server = WholeServer(self._folder, relay_on(sink.port), name="serve-signed", signed_domain=dkim.DOMAIN)
            self._held.push_async_callback(server.stop)
            await server.start()
            await self._deliver(server, sink, "warm", count=self._size.signed_messages, batch=500, new_contacts=False)
            self._signed_whole = server, sink
        server, sink = self._signed_whole
        count = self._size.signed_messages
        return _signed_each(
            await self._deliver(server, sink, f"d{number}", count=count, batch=count // 10, new_contacts=False)
        )

    async def _signed_relay(self, number: int) -> Run:
        if self._signed_postfix is None:
            sink = await self._sink()
            milter = OpenDkim(self._folder)
            self._held.push_async_callback(milter.stop)
            await milter.ready()
            postfix = Postfix(self._folder, sink.port, milter.socket)
            self._held.push_async_callback(postfix.stop)
            await postfix.start()
            self._signed_postfix = postfix, sink
            await self._relayed(postfix, sink, 200, "warm-signed")
        postfix, sink = self._signed_postfix
        count = self._size.postfix_messages // 2
        return _signed_each(await self._relayed(postfix, sink, count, f"signed-{number}"))

    async def _sign(self, number: int) -> Run:
        return await dkim.signatures(3.0, _cores())

    async def _sign_one(self, number: int) -> Run:
        return await dkim.signatures(3.0, _cores(), multibuffer=False)

    async def _openssl(self, number: int) -> Run:
        return await asyncio.to_thread(dkim.openssl_speed, 3, _cores())

    # -- limits

    async def _compose(self, number: int) -> Run:
        return limits.compose(2_000)

    async def _smtp_client(self, number: int) -> Run:
        if self._limit_sink is None:
            self._limit_sink = await self._sink()
        return await limits.smtp_client(self._limit_sink.port, self._size.limit_messages, 16, _MAIL_BYTES)

    async def _copy(self, number: int) -> Run:
        servers, _ = await self._api_servers()
        return await limits.copy_rows(servers.dsn, 100_000)

    async def _fdatasync(self, number: int) -> Run:
        return limits.fdatasync(self._folder, 500)

    async def _sink(self) -> Sink:
        sink = Sink(self._folder)
        self._held.push_async_callback(sink.stop)
        await sink.ready()
        return sink


async def _all_final(connection: "asyncpg.Connection[asyncpg.Record]", after: int, count: int, begun: float) -> int:
    """Return when so many final events are committed: how many of them say not sent."""
    while True:
        # The rows are only counted when there can be enough of them: the count costs as much as 20 deliveries.
        if await connection.fetchval(_EVENT_ID) - after >= count:
            row = await connection.fetchrow(_FINAL_EVENTS, after)
            assert row is not None
            if row["sent"] + row["not_sent"] >= count:
                if row["sent"] + row["not_sent"] > count:
                    raise ProgramFailed(f"{count} messages have {row['sent'] + row['not_sent']} final events")
                return int(row["not_sent"])
        if time.perf_counter() - begun > 120:
            raise ProgramFailed(f"not all of {count} messages have a final status after 120 s")
        await asyncio.sleep(0.05)


@dataclass(slots=True)
class _Stored:
    """How many messages were stored; known after its context."""

    messages: int = 0


@asynccontextmanager
async def _stored(dsn: str) -> AsyncIterator[_Stored]:
    """Counts the rows of `message` before and after."""
    found = _Stored()
    connection = await asyncpg.connect(dsn)
    try:
        before = await connection.fetchval("select count(*) from message")
        yield found
        found.messages = await connection.fetchval("select count(*) from message") - before
    finally:
        await connection.close()


def _signed_each(run: Run) -> Run:
    """Raises ProgramFailed when the mails were too short to carry a signature."""
    if run["bytes each"] < _MAIL_BYTES + _SIGNATURE_BYTES:
        raise ProgramFailed(f"the sink read {run['bytes each']:.0f} bytes each: the mails were not signed")
    return run


def _wrk_figures(run: WrkRun, cpu: dict[str, float]) -> Run:
    report = run.report
    return {
        "rate": run.rate,
        "p50 ms": report.p50 / 1e3,
        "p99 ms": report.p99 / 1e3,
        "us CPU client": run.cpu_seconds / report.requests * 1e6,
    } | _each(cpu, report.requests)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _all_accepted(load: Load) -> None:
    if set(load.statuses) != {202}:
        raise ProgramFailed(f"the sends were answered with {dict(load.statuses)}: {load.first_refusal}")


def _each(cpu: dict[str, float], count: int) -> Run:
    """Microseconds of processor time for each message, by group."""
    return {f"us CPU {name}": seconds / count * 1e6 for name, seconds in cpu.items()}


def _pid(servers: ApiServers) -> int:
    pid = servers.postgres.pid
    if pid is None:
        raise ProgramFailed("the embedded PostgreSQL has ended")
    return pid


async def _click_paths(connection: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    """A link of each of many mails, as a mail of the newest version carries it."""
    tokens = await load_link_tokens(connection)
    version = await connection.fetchrow(_VERSION)
    assert version is not None
    account_id, version_id = version
    link = link_part(3, "https://shop.example.com/orders/status?utm_source=mail&utm_campaign=shipped", "Track order")
    assert link is not None
    request_id = uuid7()
    return [
        "/t/c/" + tokens.head(LinkMessage(account_id, version_id, position, position + 1, request_id)).click(link)
        for position in range(_CLICKED_MAILS)
    ]
