"""A server for trying things out: it answers each `ping N` with `pong N`, and tells everybody who comes."""

import asyncio
import contextlib
import sys


class Upstream:
    def __init__(self):
        self.said = []  # by all clients
        self.writers = set()
        self.word = b"pong"  # its answer; empty: it reads, and says nothing

    async def serve(self, reader, writer):
        for other in self.writers:
            other.write(b"somebody has come\n")
        self.writers.add(writer)
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                self.said.append(line.decode().strip())
                if line.startswith(b"ping ") and self.word:
                    writer.write(line.replace(b"ping", self.word))
        self.writers.discard(writer)
        writer.close()

    async def start(self, port=0):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", port)
        return self.server.sockets[0].getsockname()[1]


async def main(port):
    upstream = Upstream()
    await upstream.start(port)
    await upstream.server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
