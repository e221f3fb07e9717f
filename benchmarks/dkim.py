"""Signing alone: whole mails by an event loop and its signing processes, beside what `openssl speed` says of the same
cores.

.venv/bin/python -m benchmarks.dkim [--seconds 3]
"""

import argparse
import asyncio
import logging
import os
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog
import uvloop
from benchmarks.compose import content, contexts
from benchmarks.cpu import CpuMeter
from benchmarks.figures import Run, number
from benchmarks.processes import ProgramFailed

from postroom.audience.contacts import Contact
from postroom.content.compiler import compile_content
from postroom.content.model import Mail
from postroom.delivery.dkim.key import SigningKey
from postroom.delivery.dkim.signer import Signer
from postroom.delivery.signing.ahead import Ahead
from postroom.delivery.signing.multibuffer import installed
from postroom.delivery.signing.processes import Signing
from postroom.delivery.slices import Message, Request, Slice
from postroom.tenancy.sender_domains import new_key

DOMAIN = "shop.example.com"
_AT = 1790000000
_START_SECONDS = 1.0


def mails(count: int) -> list[Mail]:
    """The order mail of `benchmarks.compose`, about 10 KB each."""
    plan = compile_content(content())
    made = []
    for context in contexts(count):
        mail = plan.compose(context)
        if not isinstance(mail, Mail):
            raise ProgramFailed(f"not composed: {mail.reason}")
        made.append(mail)
    return made


def _message() -> Message:
    at = datetime.fromtimestamp(_AT, UTC)
    request = UUID(int=1)
    slice_ = Slice(1, 1, 1, UUID(int=2), 0, request, at.date(), at, 1, 0.0)
    contact = Contact(1, "a@example.net", {}, "Active")
    return Message(slice_, 0, "key", "key", "a@example.net", {}, Request(request, 1, 1, None), contact)


async def signatures(seconds: float, processes: int, *, multibuffer: bool = True) -> Run:
    """How many mails a second an event loop and so many signing processes sign, body hash and header included, when
    each mail goes the way that delivery takes: given ahead, and taken when it is done. Without ``multibuffer``
    signatures are made one at a time."""
    key = new_key("rsa")
    signer = Signer(DOMAIN, [SigningKey(key.selector, key.private)])
    batch = mails(200)
    message = _message()
    told = asyncio.Event()
    signing = Signing(processes=processes, ready=told.set, multibuffer=installed() if multibuffer else None)
    ahead = Ahead(signing)

    async def sign(until: float) -> int:
        given = taken = 0
        while time.perf_counter() < until:
            while ahead.room:
                ahead.give(message, batch[given % len(batch)], signer)
                given += 1
            await told.wait()
            told.clear()
            while (done := ahead.take()) is not None:
                if not isinstance(done[1], Mail):
                    raise ProgramFailed(f"not signed: {done[1].reason}")
                taken += 1
        return taken

    try:
        # The processes need some tenths of a second to start.
        await sign(time.perf_counter() + _START_SECONDS)
        meter = CpuMeter({"processes": signing.pids}).start()
        begun, cpu_begun = time.perf_counter(), time.process_time()
        taken = await sign(begun + seconds)
        taken_seconds, loop_seconds = time.perf_counter() - begun, time.process_time() - cpu_begun
        cpu = meter.stop()
    finally:
        await signing.close()
    return {
        "rate": taken / taken_seconds,
        "us CPU loop": loop_seconds / taken * 1e6,
        "us CPU processes": cpu["processes"] / taken * 1e6,
    }


class _NoSignature(SigningKey):
    def sign(self, digest: bytes) -> bytes:
        return bytes(256)


def preparation(count: int = 4000) -> float:
    """Microseconds for all of a signature but the signature itself: header, canonical body, body hash."""
    key = new_key("rsa")
    signer = Signer(DOMAIN, [_NoSignature(key.selector, key.private)])
    batch = mails(200)
    begun = time.process_time()
    for place in range(count):
        mail = batch[place % 200]
        signer.sign(mail.data, _AT, mail.body_form)
    return (time.process_time() - begun) / count * 1e6


def openssl_speed(seconds: int, processes: int) -> Run:
    """RSA-2048 signatures a second by `openssl speed` on so many processes."""
    command = ["openssl", "speed", "-elapsed", "-seconds", str(seconds), "-multi", str(processes), "rsa2048"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + 4 * seconds, check=False)
    if done.returncode != 0:
        raise ProgramFailed(f"openssl speed failed ({done.returncode}): {done.stderr[-500:]}")
    return {"rate": sign_rate(done.stdout)}


def sign_rate(said: str) -> float:
    """The column sign/s of the last line: `rsa 2048 bits 0.000260s 0.000017s 3851.5 58454.0`."""
    lines: Sequence[str] = [line for line in said.splitlines() if line.startswith("rsa")]
    if not lines:
        raise ProgramFailed(f"openssl speed printed no RSA figures: {said[-300:]!r}")
    return float(lines[-1].split()[-2])


def quiet() -> None:
    """Have what is measured in this process log warnings only: the rest would stand between the figures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def main() -> None:
    """The command line."""
    quiet()
    parser = argparse.ArgumentParser(prog="benchmarks.dkim", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3, help="how long each is measured (default 3)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, interleaved (default 3)")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"all but the signature: {preparation():.1f} us")
    for _ in range(options.rounds):
        theirs = openssl_speed(options.seconds, cores)["rate"]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            run = runner.run(signatures(options.seconds, cores))
        ours = run["rate"]
        print(
            f"{cores} cores: {number(ours)} mails/s, openssl speed {number(theirs)} signatures/s: {ours / theirs:.0%}; "
            f"event loop {run['us CPU loop']:.0f} us a mail, signing processes {run['us CPU processes']:.0f}"
        )


if __name__ == "__main__":
    main()
