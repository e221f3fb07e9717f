"""What sites take: each mail as a parcel, and its copies as parcels of their own where they go elsewhere.

The first recipient of a mail decides its outcome. Copies (cc, bcc) at other sites are transactions of their own, begun
once the first recipient has the mail and tried once; those not taken are part of the outcome's ``refused_recipients``,
as they are when one host takes all.
"""

from collections.abc import Callable, Sequence

import msgspec

from postroom.delivery.job import Job
from postroom.delivery.lanes import Lanes
from postroom.delivery.outcome import Outcome, Sent
from postroom.delivery.routing.destinations import COME_AGAIN_SECONDS, Destinations, Later
from postroom.delivery.routing.mx import NoRoute
from postroom.delivery.routing.parcel import Parcel
from postroom.delivery.routing.questions import Whom
from postroom.delivery.routing.ramps import Ramp
from postroom.delivery.routing.site import Site
from postroom.delivery.slices import Message
from postroom.delivery.smtp.remainder import not_taken
from postroom.events.put_offs import PutOff

MOST_COPIES = 100
"""Waiting at one site; messages with more copies for it wait."""


class Parcels:
    """``compose`` makes the next mail of some lanes, ``settled`` is told its outcome. ``again`` routes a message anew,
    ``later`` gives it back, ``ask`` keeps it until it is known where a copy goes. ``ended`` is called when a parcel is
    no longer under way."""

    def __init__(
        self,
        destinations: Destinations,
        *,
        compose: Callable[[Lanes], Job | None],
        settled: Callable[[Message, Outcome], None],
        again: Callable[[Message], None],
        later: Callable[[Message, Later], None],
        ask: Callable[[Whom, Message], None],
        ended: Callable[[], None],
    ) -> None:
        self._destinations = destinations
        self._compose = compose
        self._settled = settled
        self._again = again
        self._later = later
        self._ask = ask
        self._ended = ended
        self.copies = 0
        """Parcels of copies that have no outcome yet."""

    def take(self, site: Site) -> Parcel | None:
        """The next parcel for a site; None when there is none at present."""
        while (job := self._compose(site.lanes)) is not None:
            if len(job.recipients) == 1:
                return self._parcel(site, job, job.recipients, {}, ())
            parcel = self._with_copies(site, job)
            if parcel is not None:
                return parcel
        return None

    def _with_copies(self, site: Site, job: Job) -> Parcel | None:
        """A parcel for the recipients of this site, with the copies for others; None when it has to wait."""
        here, elsewhere, missed = [job.recipients[0]], dict[Site, list[str]](), list[tuple[str, str]]()
        own = _domain(here[0])
        for recipient in job.recipients[1:]:
            domain = _domain(recipient)
            if domain == own:
                here.append(recipient)
                continue
            way = self._destinations.way(job.message, domain)
            relayed = way is not None and site in way.relays
            other = site if relayed else self._destinations.find(job.message, domain, first=False)
            if isinstance(other, str | Ramp):
                self._ask(other, job.message)
                return None
            if isinstance(other, NoRoute):
                missed.append((recipient, other.text))
            elif other is site:
                here.append(recipient)
            elif isinstance(other, Later) or len(other.copies) >= MOST_COPIES:
                why = other.why if isinstance(other, Later) else PutOff("copies", other.name)
                self._later(job.message, Later(COME_AGAIN_SECONDS, why))
                return None
            else:
                elsewhere.setdefault(other, []).append(recipient)
        return self._parcel(site, job, here, elsewhere, missed)

    def _parcel(
        self,
        site: Site,
        job: Job,
        here: Sequence[str],
        elsewhere: dict[Site, list[str]],
        missed: Sequence[tuple[str, str]],
    ) -> Parcel:
        message = job.message

        def finish(outcome: Outcome) -> None:
            if isinstance(outcome, Sent) and (elsewhere or missed):
                self._send_copies(job, outcome, elsewhere, missed)
            else:
                self._settled(message, outcome)
            self._ended()

        def back(_parcel: Parcel) -> None:
            # A site that is away has handed out what waited in it: what comes back after that waits for nobody there.
            if site.overflows or (site.unreachable is not None and not site.only_copies):
                self._again(message)
                return
            site.lanes.put_back(message.slice.key, message)
            site.wake()

        return Parcel(job, here, site, finish=finish, back=back)

    def _send_copies(
        self, job: Job, sent: Sent, elsewhere: dict[Site, list[str]], missed: Sequence[tuple[str, str]]
    ) -> None:
        refused = [*sent.refused_recipients, *missed]
        left = len(elsewhere)

        def one_done(recipients: list[str], outcome: Outcome) -> None:
            nonlocal left
            refused.extend(not_taken(recipients, outcome))
            left -= 1
            self.copies -= 1
            if left == 0:
                self._settled(job.message, msgspec.structs.replace(sent, refused_recipients=tuple(refused)))
            self._ended()

        if not elsewhere:
            self._settled(job.message, msgspec.structs.replace(sent, refused_recipients=tuple(refused)))
        self.copies += left
        for site, recipients in elsewhere.items():
            _send_copy(site, job, recipients, one_done)


def _send_copy(site: Site, job: Job, recipients: list[str], done: Callable[[list[str], Outcome], None]) -> None:
    def back(parcel: Parcel) -> None:
        if site.unreachable is not None:
            parcel.give_up(site.unreachable)
            return
        site.copies.appendleft(parcel)
        site.wake()

    away = site.unreachable
    if away is not None:
        done(recipients, away)
        return
    parcel = Parcel(
        job,
        recipients,
        site,
        finish=lambda outcome: done(recipients, outcome),
        back=back,
        first_decides=False,
    )
    site.copies.append(parcel)
    site.wake()


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
