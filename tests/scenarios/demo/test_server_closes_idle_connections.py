"""The demo's client against a server that closes connections, as the vendor's does after five idle seconds."""

import socket
import threading
from collections.abc import Iterator

import pytest

from postroom.cli.demo_client import CallFailed, Client, unordered

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n"


class Peer:
    """Answers one request on each connection, then closes it without a word; `silent` ones are closed unanswered."""

    def __init__(self, silent: set[int]) -> None:
        self.requests: list[str] = []
        self._silent = silent
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        number = 0
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            with connection:
                received = b""
                while b"\r\n\r\n" not in received and (data := connection.recv(65536)):
                    received += data
                self.requests.append(received.split(b" HTTP", 1)[0].decode())
                if number not in self._silent:
                    connection.sendall(ANSWER + f'{{"n":{number:2}}}'.encode())

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def silent() -> set[int]:
    return set()


@pytest.fixture
def peer(silent: set[int]) -> Iterator[Peer]:
    peer = Peer(silent)
    yield peer
    peer.close()


def test_a_read_is_asked_again_on_a_new_connection(peer: Peer) -> None:
    with Client(peer.url) as client:
        assert client.get("/a") == {"n": 1}
        assert client.get("/b") == {"n": 2}
        assert client.get("/c") == {"n": 3}


def test_a_send_always_has_a_fresh_connection(peer: Peer) -> None:
    with Client(peer.url) as client:
        assert client.get("/a") == {"n": 1}
        assert client.post("/b", {}, status=200) == {"n": 2}
    assert peer.requests == ["GET /a", "POST /b"]


@pytest.mark.parametrize("silent", [{1}])
def test_a_send_without_an_answer_is_not_sent_again(peer: Peer) -> None:
    with Client(peer.url) as client, pytest.raises(CallFailed, match=r"POST /b: no answer"):
        client.post("/b", {}, status=200)
    assert peer.requests == ["POST /b"]


@pytest.mark.parametrize("silent", [{1, 2}])
def test_a_read_is_not_asked_for_ever(peer: Peer) -> None:
    with Client(peer.url) as client, pytest.raises(CallFailed, match=r"GET /a: no answer"):
        client.get("/a")
    assert peer.requests == ["GET /a"]


def test_another_status_names_call_status_and_body(peer: Peer) -> None:
    with Client(peer.url) as client, pytest.raises(CallFailed, match=r'POST /b: 200 instead of 202: {"n": 1}'):
        client.post("/b", {}, status=202)


def test_calls_in_threads_lose_nothing(peer: Peer) -> None:
    with Client(peer.url) as client:
        numbers = [answer["n"] for answer in unordered(lambda number: client.get(f"/{number}"), range(40))]
    assert sorted(numbers) == list(range(1, 41))
    assert sorted(peer.requests) == sorted(f"GET /{number}" for number in range(40))


def test_the_first_failure_in_a_thread_ends_the_calls(peer: Peer) -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise CallFailed("three")
        return number

    with pytest.raises(CallFailed, match="three"):
        list(unordered(fail, range(1000)))
