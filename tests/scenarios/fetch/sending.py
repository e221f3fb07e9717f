"""One message rendered as a delivery process renders it, with a fetcher of the test's choice."""

import asyncio
from email import message_from_bytes
from email.policy import default

from tests.conformance.house import ACCOUNT, LEASE, House, people

from postroom.content.ampscript.dialect import Dialect
from postroom.content.ampscript.run import Fetcher
from postroom.content.model import Mail, NotComposed
from postroom.delivery.claim import Queue
from postroom.delivery.composer import Composer
from postroom.delivery.keyring import Keyring
from postroom.delivery.loading import Loader
from postroom.delivery.rendering import Renderer
from postroom.delivery.slices import Message
from postroom.delivery.versions import Sender, Versions
from postroom.events.put_offs import PutOff


def not_now(message: Message, _seconds: float, why: PutOff) -> None:
    raise AssertionError(f"{message.message_key} was put off: {why}")


async def rendered(house: House, fetcher: Fetcher, template: str) -> str:
    """The body of the mail that ``template`` makes, or why there is none."""
    await house.define("story", text=template)
    await house.accept(people(["one"]), "story")
    clock = asyncio.get_running_loop().time
    queue = Queue(house.pool, owner="here", lease=LEASE, clock=clock)
    versions = Versions(house.pool, sender=Sender("Shop", "shop@example.com"), dialect=Dialect(), clock=clock)
    composer = Composer(versions.prepared, fetcher=fetcher)
    loader = Loader(house.pool, queue, versions, composer, Keyring(house.pool))
    ready: asyncio.Future[list[Message]] = asyncio.get_running_loop().create_future()
    renderer = Renderer(house.pool, versions, composer, rendered=ready.set_result, postponed=not_now)
    lanes = [(lane.key, 10) for lane in await queue.due_lanes(ACCOUNT)]
    loaded = await loader.load(ACCOUNT, await queue.claim(ACCOUNT, lanes))
    (message,) = renderer.take(loaded.messages) or await ready
    mail = composer.compose(message)
    assert isinstance(mail, Mail | NotComposed)
    if isinstance(mail, NotComposed):
        return mail.reason
    return str(message_from_bytes(mail.data, policy=default).get_content()).strip()
