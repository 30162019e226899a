# Echo servers by PyPI's `websockets`, on loopback, with permessage-deflate in
# several ways: websockets_echo.py FILE_FOR_THE_PORTS

import asyncio
import json
import os
import sys

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

WAYS = {
    'websockets, context kept': {},
    'websockets, no context': {
        'server_no_context_takeover': True,
        'client_no_context_takeover': True,
    },
    'websockets, small windows': {
        'server_max_window_bits': 9,
        'client_max_window_bits': 8,
    },
}


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main(file):
    ports = {}
    for name, options in WAYS.items():
        extension = ServerPerMessageDeflateFactory(**options)
        server = await serve(
            echo, '127.0.0.1', 0, extensions=[extension], compression=None, max_size=None)
        ports[name] = next(iter(server.sockets)).getsockname()[1]
    with open(file + '.new', 'w') as out:
        json.dump(ports, out)
    os.rename(file + '.new', file)
    await asyncio.get_running_loop().create_future()


asyncio.run(main(sys.argv[1]))
