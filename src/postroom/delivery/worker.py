"""The delivery worker: claims slices, hands messages to the relay's connections one by one, settles outcomes.

    claim -> load -> (render) -> lanes -> compose -> (sign) -> SMTP -> settle

Connections pull: a message is composed at the moment a connection is free for it. Only what has to be signed is
composed a little ahead, and signed by other processes meanwhile. While the relay is away nothing more is claimed. No
attempt begins on a slice whose lease may have run out.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from weakref import WeakKeyDictionary

import structlog

from postroom.bounces.return_path import ReturnPath
from postroom.content.model import Mail, NotComposed
from postroom.delivery.claim import Queue
from postroom.delivery.claimer import Claimer
from postroom.delivery.composer import Composer
from postroom.delivery.copies import without
from postroom.delivery.expiry import Expiry
from postroom.delivery.fetch import open_fetcher
from postroom.delivery.job import Job
from postroom.delivery.keyring import Keyring
from postroom.delivery.lanes import Lanes
from postroom.delivery.loading import TOO_LATE, Loaded, Loader
from postroom.delivery.outages import Outages
from postroom.delivery.outcome import Deferred, Outcome
from postroom.delivery.recall import Recall
from postroom.delivery.record import Recorder
from postroom.delivery.rendering import Renderer
from postroom.delivery.routing.options import MxOptions, open_sites
from postroom.delivery.routing.sites import Sites
from postroom.delivery.settle import Settler
from postroom.delivery.signing.ahead import Ahead
from postroom.delivery.signing.processes import Signing
from postroom.delivery.slices import Message, Slice
from postroom.delivery.smtp.pool import SmtpPool
from postroom.delivery.versions import Versions
from postroom.delivery.worker_options import WorkerOptions
from postroom.events.codes import StatusCode
from postroom.events.put_offs import PutOff
from postroom.metrics.counts import Counts
from postroom.metrics.declared import SUPPRESSED_COPIES, SUPPRESSED_MESSAGES
from postroom.metrics.sites import SECONDS, note_sites
from postroom.store.pool import Pool
from postroom.store.trouble import DATABASE_TROUBLE, tell_trouble

# Before the end of a lease nothing begins any more: two seconds, or a quarter of a short lease.
_LEASE_MARGIN_SECONDS = 2.0
_LEASE_MARGIN_SHARE = 0.25
_STOP_GRACE_SECONDS = 5.0  # `serve` ends the process by force after 8, and then nothing would be given back
_TROUBLE_SECONDS = 0.5
_STUCK_SECONDS = 30.0
_PART_SECONDS = 1.0


class Worker:
    """One worker on one event loop. ``run`` until ``stop`` is set; everything begun is then finished or given back."""

    def __init__(
        self,
        pool: Pool,
        options: WorkerOptions,
        *,
        rand: Callable[[], float],
        return_path: ReturnPath | None = None,
        counts: Counts | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._pool = pool
        self._options = options
        self._return_path = return_path
        self._counts = counts or Counts()
        self._clock = loop.time
        self._lease_margin = min(_LEASE_MARGIN_SECONDS, options.lease.total_seconds() * _LEASE_MARGIN_SHARE)
        self._held: dict[Slice, None] = {}
        self._renewed_at = loop.time()
        self._queue = Queue(pool, owner=options.owner, lease=options.lease, clock=loop.time)
        self._versions = Versions(
            pool,
            sender=options.sender,
            dialect=options.dialect,
            clock=loop.time,
            headers=options.headers,
            derive_text=options.derive_text,
            links=options.links,
        )
        self._composer = Composer(
            self._versions.prepared, links=options.links, fetcher=open_fetcher(options.fetch, clock=loop.time)
        )
        self._keyring = Keyring(pool)
        self._ahead: WeakKeyDictionary[Lanes, Ahead] = WeakKeyDictionary()
        self._settler = Settler(
            pool,
            interval=options.settle_interval.total_seconds(),
            settled=lambda slice_: self._held.pop(slice_, None),
            counts=self._counts,
        )
        self._recorder = Recorder(
            self._settler,
            options.schedule,
            rules=options.rules,
            now=lambda: datetime.now(UTC),
            clock=loop.time,
            rand=rand,
            soft=options.soft,
            counts=self._counts,
        )
        self._outages = Outages(pool, str(options.target), now=lambda: datetime.now(UTC))
        self._lanes: Lanes | Sites
        self._smtp: SmtpPool | Sites
        if isinstance(options.target, MxOptions):
            self._lanes = self._smtp = open_sites(
                options.target,
                pool=pool,
                helo=options.helo,
                rules=options.rules,
                lane_messages=options.lane_messages,
                rand=rand,
                take=self._take,
                settled=self._settled,
                postponed=self._postponed,
                withdraw=self._withdraw,
                changed=self._room_again,
            )
        else:
            lanes = self._lanes = Lanes()
            self._smtp = SmtpPool(
                options.target,
                size=options.connections,
                take=lambda: self._take(lanes),
                helo=options.helo,
                on_unavailable=self._relay_away,
                on_available=self._relay_back,
                rand=rand,
            )
        self._signing = Signing(
            processes=options.signing_processes,
            multibuffer=options.signing_multibuffer,
            ready=self._smtp.wake_signed if isinstance(self._smtp, Sites) else self._smtp.wake,
        )
        self._renderer = Renderer(pool, self._versions, self._composer, rendered=self._offer, postponed=self._postponed)
        self._claimer = Claimer(
            pool,
            self._queue,
            Loader(pool, self._queue, self._versions, self._composer, self._keyring),
            waiting=lambda key: self._lanes.waiting(key) + self._renderer.waiting(key),
            lane_messages=options.lane_messages,
            slice_size=options.slice_size,
            ready=lambda: self._smtp.available and not self._leases_doubtful,
            may_claim=lambda account_id: account_id not in self._settler.stuck,
            held=lambda: self._held,
            loaded=self._loaded,
            counts=self._counts,
        )
        self._expiry = Expiry(
            pool,
            self._queue.accounts_with_work,
            inactive_age=options.inactive_age,
            max_age=options.schedule.max_age,
        )
        self._background: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("delivery").bind(owner=options.owner)

    @property
    def announce(self) -> Callable[[int], None]:
        """Call it with an account that has something queued."""
        return self._claimer.announce

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set. Raises only what no waiting can mend."""
        if self._options.replaces is not None:
            await self._queue.release_owner(self._options.replaces)
        self._settler.start()
        loops = [
            asyncio.create_task(self._claimer.run()),
            asyncio.create_task(self._renew_leases()),
            asyncio.create_task(self._expiry.keep()),
            asyncio.create_task(self._part_slices()),
        ]
        if isinstance(self._lanes, Sites):
            loops.append(asyncio.create_task(self._tell_of_sites(self._lanes)))
            loops.append(
                asyncio.create_task(
                    Recall(self._queue, self._lanes, announce=self._claimer.announce, clock=self._clock).keep()
                )
            )
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([stopping, *loops], return_when=asyncio.FIRST_COMPLETED)
            for each in loops:
                if each.done():
                    each.result()
        finally:
            stopping.cancel()
            for each in (*loops, *self._background):
                each.cancel()
            await asyncio.gather(*loops, *self._background, return_exceptions=True)
            await self._renderer.close()
            await self._finish()

    async def _finish(self) -> None:
        await self._smtp.close(_STOP_GRACE_SECONDS)
        await self._signing.close()
        self._lanes.drain()
        for slice_ in self._held:
            # What is released is due at once, and these have their own times.
            self._recorder.part(slice_, at_once=True)
        # Settled before released: whoever claims the rest must see what is done.
        await self._settler.close()
        await self._write_outages()
        try:
            await note_sites(self._pool, self._options.owner, ())
            await self._queue.release_owner(self._options.owner)
        except DATABASE_TROUBLE as error:
            tell_trouble(self._log, "leases_not_released", error, slices=len(self._held))

    # -- from the claimer

    def _loaded(self, slices: list[Slice], loaded: Loaded) -> None:
        for each in slices:
            self._held[each] = None
            if each.outstanding == 0:
                self._recorder.empty(each)
        for unsendable in loaded.unsendable:
            if unsendable.cause is not None:
                self._counts.add(SUPPRESSED_MESSAGES, unsendable.cause)
            self._recorder.unsendable(
                unsendable.slice, unsendable.position, unsendable.code, unsendable.reason, unsendable.contact_id
            )
        self._offer(self._renderer.take(loaded.messages))

    def _offer(self, ready: Sequence[Message]) -> None:
        for key, messages in groupby(ready, key=lambda message: message.slice.key):
            self._lanes.offer(key, messages)
        self._smtp.wake()

    # -- from the SMTP pool

    def _take(self, lanes: Lanes) -> Job | None:
        """The next job of some lanes: all there are for a relay, those of one site otherwise."""
        ahead = self._ahead.get(lanes)
        if ahead is None:
            ahead = self._ahead[lanes] = lanes.ahead = Ahead(self._signing)
        while True:
            made = ahead.take()
            if made is None:
                made = self._next(lanes, ahead)
            else:
                while ahead.room and (unsigned := self._next(lanes, ahead)) is not None:
                    ahead.pass_by(*unsigned)
            if made is None:
                return None
            message, mail = made
            slice_ = message.slice
            if slice_.lost:
                message.not_sent()
                continue
            if isinstance(mail, NotComposed):
                message.not_sent()
                self._recorder.not_composed(message, mail)
                continue
            if slice_.deadline is not None and datetime.now(UTC) >= slice_.deadline:
                message.not_sent()
                self._recorder.unsendable(
                    slice_, message.position, StatusCode.TIMED_OUT_IN_QUEUE, TOO_LATE, message.contact.contact_id
                )
                continue
            if not self._may_begin(slice_):
                lanes.put_back(slice_.key, message)
                return None
            if slice_.account_id in self._settler.stuck:
                message.not_sent()
                self._postponed(message, _STUCK_SECONDS, PutOff("database"))
                continue
            message.subject = mail.subject
            if message.left_out:
                mail.recipients = without(mail.recipients, message.left_out)
                for _, cause in message.left_out:
                    self._counts.add(SUPPRESSED_COPIES, cause)
            message.copies = len(mail.recipients) > 1
            return Job(message, mail, self._envelope_sender(message, mail), self._finished)

    def _next(self, lanes: Lanes, ahead: Ahead) -> tuple[Message, Mail | NotComposed] | None:
        """The next mail that needs no waiting, or why there is none; on the way to it, mails are given to be signed.

        None when no message may begin now, or enough are composed ahead.
        """
        while ahead.room and (message := lanes.take()) is not None:
            slice_ = message.slice
            if slice_.lost:
                message.not_sent()
                continue
            if not self._may_begin(slice_):
                lanes.put_back(slice_.key, message)
                return None
            mail = self._compose(message)
            if mail is None:
                self._start(self._reload(message, lanes))
                continue
            self._claimer.taken(slice_.key)
            if isinstance(mail, NotComposed):
                return message, mail
            domain = mail.sender.rpartition("@")[2]
            signer = self._keyring.signer(slice_.account_id, domain, slice_.accepted_at)
            if signer is None:
                return message, mail
            signed = ahead.give(message, mail, signer)
            if signed is not None:
                return message, signed
        return None

    def _envelope_sender(self, message: Message, mail: Mail) -> str:
        paths = self._return_path
        if paths is None:
            return mail.sender
        slice_ = message.slice
        domain = mail.sender.rpartition("@")[2]
        if paths.by_domain and self._keyring.signer(slice_.account_id, domain, slice_.accepted_at) is None:
            # Nobody has said that this domain is set up, and its bounces would go astray.
            return mail.sender
        return paths.address(
            slice_.account_id, slice_.request_id, message.position, copies=message.copies, from_domain=domain
        )

    def _may_begin(self, slice_: Slice) -> bool:
        # It may not when the database was away for as long as the lease. The renewal tells whether it is still ours.
        return self._clock() <= slice_.valid_until - self._lease_margin

    def _compose(self, message: Message) -> Mail | NotComposed | None:
        message.composed_at = self._clock()
        try:
            return self._composer.compose(message)
        except Exception:
            # Whatever is wrong with one message ends that message only, and it does end.
            self._log.exception("not_composed", message_key=message.message_key)
            return NotComposed(StatusCode.MESSAGE_BUILD_ERROR, "the mail could not be built")

    def _finished(self, message: Message, outcome: Outcome) -> None:
        connected = not (isinstance(outcome, Deferred) and outcome.stage == "connect")
        if connected or message.slice.lost or not isinstance(self._lanes, Lanes):
            self._settled(message, outcome)
        else:
            # The relay was not reached: no attempt at this message was made.
            self._lanes.put_back(message.slice.key, message)

    def _settled(self, message: Message, outcome: Outcome) -> None:
        if message.slice.lost:
            self._log.warning("lease_lost_during_attempt", message_key=message.message_key, outcome=repr(outcome))
        else:
            self._recorder.outcome(message, outcome)

    def _postponed(self, message: Message, seconds: float, why: PutOff) -> None:
        if not message.slice.lost:
            self._recorder.postpone(message, datetime.now(UTC) + timedelta(seconds=seconds), why)

    def _withdraw(self, lanes: Lanes) -> list[Message]:
        ahead, kept = self._ahead.get(lanes), []
        for message in ahead.withdraw() if ahead is not None else ():
            if message.slice.lost:
                message.not_sent()
            else:
                kept.append(message)
        return kept

    def _room_again(self) -> None:
        self._claimer.wake()

    def _relay_away(self, outcome: Deferred, retry_in: float) -> None:
        self._outages.away(outcome.text)
        self._log.warning(
            "relay_unavailable",
            relay=str(self._options.target),
            stage=outcome.stage,
            reply=outcome.text,
            retry_in=round(retry_in, 1),
        )

    def _relay_back(self) -> None:
        self._outages.back()
        self._log.info("relay_available", relay=str(self._options.target))
        self._claimer.wake()
        self._smtp.wake()

    async def _reload(self, message: Message, lanes: Lanes) -> None:
        try:
            await self._versions.version(message.slice.account_id, message.request.version_id)
        except Exception as error:
            if not tell_trouble(self._log, "version_waits_for_database", error).passes:
                message.not_sent()
                self._postponed(message, _STUCK_SECONDS, PutOff("database"))
                return
            await asyncio.sleep(_TROUBLE_SECONDS)
        lanes.put_back(message.slice.key, message)
        self._smtp.wake()

    async def _tell_of_sites(self, sites: Sites) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            try:
                await note_sites(self._pool, self._options.owner, sites.busy())
            except DATABASE_TROUBLE as error:
                tell_trouble(self._log, "sites_wait_for_database", error)

    async def _part_slices(self) -> None:
        while True:
            await asyncio.sleep(_PART_SECONDS)
            for slice_ in self._held:
                self._recorder.part(slice_)

    # -- leases

    @property
    def _leases_doubtful(self) -> bool:
        """Whether a lease may have run out. What is still ours is renewed then before anything is claimed: claimed
        again, its mails that are sent and not settled would go twice."""
        return self._clock() > self._renewed_at + self._options.lease.total_seconds()

    async def _renew_leases(self) -> None:
        interval = self._options.lease.total_seconds() / 3
        wait = interval
        while True:
            await asyncio.sleep(wait)
            wait, began = interval, self._clock()
            try:
                if not self._smtp.available:
                    await self._give_back()
                held = [slice_ for slice_ in (*self._held, *self._claimer.loading) if not slice_.lost]
                for _, group in groupby(sorted(held, key=_by_account), key=_by_account):
                    await self._queue.renew(list(group))
            except DATABASE_TROUBLE as error:
                tell_trouble(self._log, "leases_not_renewed", error)
                wait = min(interval, _TROUBLE_SECONDS)
                continue
            if self._leases_doubtful:
                self._claimer.wake()
            self._renewed_at = began
            await self._write_outages()
            for slice_ in [slice_ for slice_ in self._held if slice_.lost]:
                del self._held[slice_]
            self._smtp.wake()

    async def _write_outages(self) -> None:
        try:
            await self._outages.write()
        except DATABASE_TROUBLE as error:
            tell_trouble(self._log, "outage_of_relay_not_noted", error)

    async def _give_back(self) -> None:
        """While the relay is away, release what only waits here: it can then be cleared, paused or left to expire.

        A slice with a message on the wire is kept: its outcome may still come.
        """
        for lanes, ahead in self._ahead.items():
            for message in reversed(ahead.withdraw()):
                lanes.put_back(message.slice.key, message)
        waiting: dict[Slice, list[Message]] = {}
        for message in self._lanes.drain():
            waiting.setdefault(message.slice, []).append(message)
        idle: list[Slice] = []
        for slice_, messages in waiting.items():
            # What is stuck is not settled, and whoever claimed it would send it again.
            if slice_.outstanding == len(messages) and slice_.account_id not in self._settler.stuck:
                idle.append(slice_)
            else:
                self._lanes.offer(slice_.key, messages)
        for slice_ in idle:
            self._recorder.part(slice_, at_once=True)
            slice_.lost = True
        if not idle:
            return
        # Settled before released: whoever claims the rest must see what is done.
        await self._settler.flush()
        for _, group in groupby(sorted(idle, key=_by_account), key=_by_account):
            await self._queue.release(list(group), PutOff("relayAway", str(self._options.target)))
        for slice_ in idle:
            self._held.pop(slice_, None)

    def _start(self, coroutine: Coroutine[object, None, None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _by_account(slice_: Slice) -> int:
    return slice_.account_id
