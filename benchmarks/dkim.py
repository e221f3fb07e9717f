"""Signing alone: whole mails through the signer on every core, beside what `openssl speed` says of the same cores.

.venv/bin/python -m benchmarks.dkim [--seconds 3]
"""

import argparse
import os
import subprocess
import threading
import time
from collections.abc import Sequence

from benchmarks.compose import content, contexts
from benchmarks.figures import Run, number
from benchmarks.processes import ProgramFailed

from postroom.content.compiler import compile_content
from postroom.content.model import Mail
from postroom.delivery.dkim.key import SigningKey
from postroom.delivery.dkim.signer import Signer
from postroom.tenancy.sender_domains import KeyAlgorithm, new_key

DOMAIN = "shop.example.com"
_AT = 1790000000


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


def signatures(seconds: float, threads: int, algorithm: KeyAlgorithm = "rsa") -> Run:
    """How many mails a second are signed by so many threads of one process, body hash and header included."""
    key = new_key(algorithm)
    signer = Signer(DOMAIN, [SigningKey(key.selector, key.private)])
    batch = mails(200)
    counts = [0] * threads
    begun = time.perf_counter()
    deadline = begun + seconds

    def sign(place: int) -> None:
        while time.perf_counter() < deadline:
            for mail in batch[:20]:
                signer.sign(mail.data, _AT, mail.body_form)
            counts[place] += 20

    cpu = time.process_time()
    running = [threading.Thread(target=sign, args=(place,)) for place in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    taken = time.perf_counter() - begun
    return {"rate": sum(counts) / taken, "us CPU": (time.process_time() - cpu) / sum(counts) * 1e6}


class _NoSignature(SigningKey):
    def sign(self, data: bytes) -> bytes:
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


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.dkim", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3, help="how long each is measured (default 3)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, interleaved (default 3)")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    print(f"all but the signature: {preparation():.1f} us")
    for _ in range(options.rounds):
        theirs = openssl_speed(options.seconds, cores)["rate"]
        ours = signatures(options.seconds, cores)["rate"]
        print(
            f"{cores} cores: {number(ours)} mails/s, openssl speed {number(theirs)} signatures/s: {ours / theirs:.0%}"
        )


if __name__ == "__main__":
    main()
