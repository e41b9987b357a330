// The server that benches/peers compares with: one process of socket.io, in memory, with connection state recovery. As a competent user would set it up: WebSocket alone, no
// compression, the request of each handshake let go of, and the bound on its memory of missed packets that the library proposes.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
// All may come at once.
const BACKLOG = 4096;

const io = new Server(http, {
  transports: ["websocket"],
  serveClient: false,
  perMessageDeflate: false,
  httpCompression: false,
  connectTimeout: 45_000,
  connectionStateRecovery: { maxDisconnectionDuration: 2 * 60 * 1000, skipMiddlewares: true },
});
io.engine.on("connection", (connection) => {
  connection.request = null;
});

/** What each user has acked. */
const acked = new Map();

io.on("connection", (socket) => {
  const { user, publisher } = socket.handshake.auth;
  if (publisher) {
    socket.on("publish", (to, payload, done) => {
      io.to(to).emit("offer", payload);
      done();
    });
    return;
  }
  // A recovered socket is in its room already.
  if (!socket.recovered) socket.join(user);
  socket.on("ack", (number, done) => {
    let mine = acked.get(user);
    if (!mine) acked.set(user, (mine = new Set()));
    mine.add(number);
    done();
  });
});

http.listen(Number(process.argv[2]), "127.0.0.1", BACKLOG, () => console.log("listening"));
