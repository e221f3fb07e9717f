"""Signing processes are killed with -9, hang, break down, can't be started, or lose their delivery process: nothing is
lost, nothing is sent twice, every signature is right, and nothing is left behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import cast
from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs
from tests.conformance.house import House
from tests.scenarios.crash.post_office import kill_nine
from tests.scenarios.delivery.relay import relay
from tests.scenarios.delivery.workers import all_final, deliver_process, working
from tests.scenarios.dkim.domains import make_domain, published, verified
from tests.scenarios.dkim.signing_processes import environ_of, gone, running, signing_processes
from tests.unit.delivery.dkim import keys

from postroom.content.model import Mail
from postroom.delivery.dkim.signer import Signer
from postroom.delivery.signing import processes
from postroom.delivery.signing.ahead import Ahead
from postroom.delivery.signing.multibuffer import installed
from postroom.delivery.signing.processes import Signing
from postroom.delivery.slices import Message

HERE = os.getpid()
IMPOSTOR = "import os, sys, time; os.write(int(sys.argv[1]), b'hello'); time.sleep(60)"


async def test_one_is_killed_in_mid_flow_again_and_again(house: House) -> None:
    await make_domain(house, "example.com", "rsa")
    sent = house.keys(400)
    async with relay() as peer, working(house, peer) as office:
        await office.send(sent)
        for came in (40, 120, 240):
            await peer.came(came)
            for pid in (await running(HERE, 1))[:1]:
                kill_nine(pid)
        final = await all_final(house, 400)
    assert set(final.values()) == {("sent", None)}
    assert peer.taken == dict.fromkeys(sent, 1)
    dns = await published(house)
    assert all(verified(peer.bodies[key][0], dns) for key in sent[::10])
    assert signing_processes(HERE) == []


async def test_none_is_left_when_its_delivery_process_ends_however_it_ends(house: House, tmp_path: Path) -> None:
    await make_domain(house, "example.com", "rsa")
    async with relay() as peer:
        for way in ("stop", "kill"):
            async with deliver_process(house, peer, tmp_path, lease_seconds=1) as process:
                await house.accept_many(10)
                await process.running(peer.came(10 if way == "stop" else 20))
                pids = await running(process.process.pid, 1)
                assert not any(b"POSTROOM_" in environ_of(pid) for pid in pids)
                await (process.stop() if way == "stop" else process.kill_nine())
                await gone(pids)


class Post:
    """A target whose mails are signed by real processes."""

    def __init__(self, count: int, multibuffer: Path | None = None) -> None:
        self.told = asyncio.Event()
        self.signing = Signing(processes=count, ready=self.told.set, multibuffer=multibuffer)
        self.ahead = Ahead(self.signing)
        self.signer = Signer("example.com", [keys.rsa_key()])

    def give(self, count: int) -> None:
        for number in range(count):
            message = Mock()
            message.slice.accepted_at.timestamp.return_value = 1790000000.0
            data = b"From: shop@example.com\r\nSubject: %d\r\n\r\nHello\r\n" % number
            mail = Mail("shop@example.com", ("a@example.net",), data, False, "x")
            assert self.ahead.give(cast(Message, message), mail, self.signer) is None

    async def collect(self, count: int) -> set[bytes]:
        found: set[bytes] = set()
        async with asyncio.timeout(30):
            while len(found) < count:
                while (made := self.ahead.take()) is not None:
                    assert isinstance(made[1], Mail)
                    found.add(made[1].data)
                if len(found) < count:
                    await self.told.wait()
                    self.told.clear()
        return found


async def test_two_servers_in_one_process_have_their_own() -> None:
    one, other = Post(2), Post(1)
    one.give(20)
    other.give(20)
    assert signing_processes(HERE) == sorted(one.signing.pids + other.signing.pids)
    assert len(one.signing.pids) == 2
    mails = await one.collect(20)
    assert all(keys.verified(mail) for mail in mails)
    await one.signing.close()
    assert signing_processes(HERE) == other.signing.pids
    assert await other.collect(20) == mails
    await other.signing.close()
    await other.signing.close()
    assert signing_processes(HERE) == []


async def test_one_that_cannot_be_started_is_started_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "FIRST_PAUSE", 0.01)
    post = Post(1)
    with monkeypatch.context() as broken, capture_logs() as logs:
        broken.setattr(processes, "_PROGRAM", ("/nonexistent",))
        post.give(5)
        assert post.signing.pids == []
    assert {(each["event"], each["log_level"]) for each in logs} == {("signing_process_not_started", "error")}
    assert len(await post.collect(5)) == 5
    await post.signing.close()


async def test_one_that_speaks_otherwise_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "FIRST_PAUSE", 0.01)
    post = Post(1)
    with capture_logs() as logs:
        with monkeypatch.context() as broken:
            broken.setattr(processes, "_PROGRAM", (sys.executable, "-c", IMPOSTOR))
            post.give(5)
            (pid,) = post.signing.pids
        assert len(await post.collect(5)) == 5
    (replaced,) = [each for each in logs if each["event"] == "signing_process_replaced"]
    assert (replaced["pid"], replaced["signed_again"]) == (pid, 5)
    assert "a frame of kind 104" in replaced["why"]
    await gone([pid])
    await post.signing.close()


async def test_one_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "HUNG", 0.5)
    post = Post(1)
    post.give(1)
    await post.collect(1)
    (pid,) = post.signing.pids
    os.kill(pid, signal.SIGSTOP)
    with capture_logs() as logs:
        post.give(40)
        assert len(await post.collect(40)) == 40
    assert next(each["pid"] for each in logs if each["event"] == "signing_process_replaced") == pid
    await gone([pid])
    await post.signing.close()


async def test_after_one_broke_down_signatures_are_made_one_at_a_time() -> None:
    library = installed()
    if library is None:
        pytest.skip("the package ipp-crypto is for Linux on x86-64")
    post = Post(1, library)
    with capture_logs() as logs:
        post.give(1)
        await post.collect(1)
        os.kill(post.signing.pids[0], signal.SIGKILL)
        post.give(1)
        await post.collect(1)
        os.kill(post.signing.pids[0], signal.SIGILL)
        post.give(20)
        mails = await post.collect(20)
    assert all(keys.verified(mail) for mail in mails)
    with_library, as_before, without = [each["signs"] for each in logs if each["event"] == "signing_process_started"]
    assert with_library == as_before
    assert with_library.startswith(("eight at a time", "one at a time: the processor"))
    assert without == "one at a time"
    assert [each["why"] for each in logs if each["event"] == "signing_one_at_a_time"] == [
        "a signing process was ended by SIGILL"
    ]
    await post.signing.close()
