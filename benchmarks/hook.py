"""An endpoint of webhooks as a process of its own: it answers 200, 500 or never, and writes down what came.

    python -m benchmarks.hook PORT ok|broken|silent

A line of output a request: when it came (seconds since 1970), and how long after its events occurred, in milliseconds.
"""

import asyncio
import re
import sys
import time

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_OCCURRED = re.compile(rb'"timestampUTC":(\d+)')
_ANSWERS = {
    "ok": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "broken": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    "silent": b"",
}


async def serve(port: int, manner: str) -> None:
    """Answer until the process is ended."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                now = time.time()
                writer.write(_ANSWERS[manner])
                lags = [f"{now * 1000 - int(at):.0f}" for at in _OCCURRED.findall(body)]
                print(f"{now:.4f}", *lags, flush=True)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
