/** What tests of networks do in a Linux guest and on the host: addresses by DHCP, a web server to fetch from. */

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";

import type { LinuxShell } from "./guests.ts";

const COMMAND_TIMEOUT_MS = 60_000;

export const run = (shell: LinuxShell, command: string): Promise<string> =>
  shell.answer(command, COMMAND_TIMEOUT_MS);

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** What udhcpc calls with what it was told. */
const DHCP_SCRIPT =
  `echo '#!/bin/sh' >/dhcp; ` +
  `echo '[ "$1" = bound ] && ip addr add $ip/$mask dev $interface && ip route add default via $router ` +
  `&& echo nameserver $dns >/etc/resolv.conf; echo "$1 $ip/$mask $router $dns $hostname $lease" >>/told' >>/dhcp; ` +
  `chmod +x /dhcp; mkdir -p /etc`;

/** Brings an interface up; what it was told by DHCP. */
export async function configure(shell: LinuxShell, name = "eth0"): Promise<string> {
  await run(shell, `rm -f /told; ip link set lo up; ip link set ${name} up`);
  await run(shell, DHCP_SCRIPT);
  await run(shell, `udhcpc -i ${name} -n -q -s /dhcp >/dev/null 2>&1`);
  return await run(shell, "grep bound /told");
}

/** Whoever asks gets `content`, or what `files` has under the path; `posted` is the sum of what the first request brought. */
export async function webServer(
  content: Uint8Array,
  files: Readonly<Record<string, Uint8Array>> = {},
): Promise<{ server: Server; port: number; posted: Promise<string> }> {
  const server = createServer();
  const posted = new Promise<string>((resolve) => {
    server.on("request", (request, response) => {
      const hash = createHash("sha256");
      request.on("data", (chunk: Uint8Array) => hash.update(chunk));
      request.on("end", () => {
        response.end(files[request.url ?? ""] ?? content);
        resolve(hash.digest("hex"));
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server listens on no port");
  return { server, port: address.port, posted };
}
