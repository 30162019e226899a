// Echo servers by npm's `ws`, on loopback, with permessage-deflate in several
// ways: node ws.js FOLDER_OF_WS FILE_FOR_THE_PORTS
const [folder, file] = process.argv.slice(2);
const fs = require('fs');
const { WebSocketServer } = require(folder);

const ways = {
  'ws, context kept': { threshold: 0 },
  'ws, no context': {
    threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true,
  },
  'ws, small windows': { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 8 },
};
const ports = {};
for (const [name, perMessageDeflate] of Object.entries(ways)) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate });
  server.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary, compress: true }));
  });
  server.on('listening', () => {
    ports[name] = server.address().port;
    if (Object.keys(ports).length === Object.keys(ways).length) {
      fs.writeFileSync(file + '.new', JSON.stringify(ports));
      fs.renameSync(file + '.new', file);
    }
  });
}
