// Ports for servers that die and come back on the same one. They are below those that the kernel gives to outgoing connections: a
// client of a dead node would now and then be given the node's own port, and the node could not come back.

import { once } from 'node:events';
import { createServer } from 'node:net';

const FIRST = 10_240;
/** So many for each process: suites that run at the same time do not take a dead node's port from each other. */
const EACH = 20;
const PROCESSES = 1_000;

let given = 0;

/** A port that nobody listens on. */
export async function freePort() {
  while (given < EACH) {
    const port = FIRST + (process.pid % PROCESSES) * EACH + given;
    given += 1;
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch (error) {
      if (error.code !== 'EADDRINUSE') throw error;
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error(`no port is free among the ${EACH} of this process`);
}
