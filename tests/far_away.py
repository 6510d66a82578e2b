#!/usr/bin/env python3
"""far_away.py LISTEN TARGET SECONDS LOG: a server that is as near as it is made to
seem far away: what goes to TARGET (ADDRESS:PORT) and comes back takes SECONDS each
way, and a connection one round trip more, as that of TCP does.  Each connection is a
line in LOG."""
import asyncio
import sys


def address(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


async def carry(reader, writer, delay, earliest):
    """Octets arrive late, one behind the other, and so does their end."""
    loop = asyncio.get_running_loop()
    while True:
        data = await reader.read(65536)
        earliest = max(earliest, loop.time() + delay)
        if not data:
            loop.call_at(earliest, writer.close)
            return
        loop.call_at(earliest, writer.write, data)


async def main(listen, target, delay, log):
    delay = float(delay)

    async def connected(reader, writer):
        with open(log, "a") as f:
            f.write("connection\n")
        begin = asyncio.get_running_loop().time()
        there, back = await asyncio.open_connection(*address(target))
        await asyncio.gather(carry(reader, back, delay, begin + 3 * delay), carry(there, writer, delay, begin))

    server = await asyncio.start_server(connected, *address(listen))
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
