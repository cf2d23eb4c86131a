/**
 * VNC clients of others: Debian's gvnccapture (gtk-vnc), which takes pictures by TCP, and Net::VNC of Perl, which types keys,
 * looks at pixels and is given a unix socket in place of the TCP one that it would open.
 */
import { execFile, spawn, spawnSync } from "node:child_process";
import { promisify } from "node:util";

const FIRST_PORT = 5900;
const TIMEOUT_MS = 60_000;
const TYPE_AGAIN_MS = 100;
const PERL = ["perl", "-MNet::VNC", "-e", "1"] as const;
const run = promisify(execFile);

/** Where a server listens: a port of 127.0.0.1, or the path of a unix socket. */
type Place = number | string;

/** Why there is no such client here; undefined when there is one. */
function missing(command: string, ...args: readonly string[]): string | undefined {
  const { status } = spawnSync(command, args, { stdio: "ignore" });
  return status === 0 ? undefined : `${[command, ...args].join(" ")} fails: the package is not installed`;
}

/** gvnccapture reads passwords from a terminal only, which script gives it. */
export const missingGvnccapture = (): string | undefined =>
  missing("gvnccapture", "--help") ?? missing("script", "--version");

export const missingNetVnc = (): string | undefined => missing(...PERL);

/** Writes what gvnccapture sees as a PNG; rejects with what it says if it does not. */
export async function capture(port: number, path: string, password?: string): Promise<void> {
  const command = `gvnccapture 127.0.0.1:${port - FIRST_PORT} ${path}`;
  const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
    timeout: TIMEOUT_MS,
    stdio: ["pipe", "pipe", "inherit"],
  });
  let said = "";
  let asking: NodeJS.Timeout | undefined;
  const answer = (): void => void child.stdin.write(`${password ?? ""}\n`);
  child.stdin.on("error", () => undefined);
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
    // It drops what was typed before it had turned the terminal's echo off, which it does after it has asked.
    if (said.includes("Password:")) asking ??= setInterval(answer, TYPE_AGAIN_MS);
  });
  const status = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  clearInterval(asking);
  if (status !== 0) throw new Error(`${command} ended with ${String(status)}: ${said}`);
  if ((asking !== undefined) !== (password !== undefined)) throw new Error(`${command} said ${said}`);
}

const PERL_CLIENT = `
use IO::Socket::UNIX;
my ($place, $password, $keys, @pixels) = @ARGV;
if ($place =~ m{/}) {
  no warnings "redefine";
  *IO::Socket::INET::new = sub { IO::Socket::UNIX->new(Peer => $place) };
}
my $vnc = Net::VNC->new({hostname => "127.0.0.1", port => $place, password => $password});
$vnc->login;
$vnc->send_key_event(hex) for split / /, $keys;
my $picture = $vnc->capture;
print join("\\n", $vnc->name, map { join ",", ($picture->query_pixel(split /,/))[0..2] } @pixels), "\\n";
`;

export interface NetVncOptions {
  readonly password?: string;
  readonly keysyms?: readonly number[];
  /** Places of pixels to look at. */
  readonly pixels?: readonly (readonly [x: number, y: number])[];
}

/**
 * Logs in by Net::VNC, types, and reads the whole screen, so that it does not leave before its keys were read. Gives the
 * screen's name and the pixels as red, green, blue.
 */
export async function useNetVnc(place: Place, options: NetVncOptions = {}): Promise<string[]> {
  const { password = "", keysyms = [], pixels = [] } = options;
  const keys = keysyms.map((keysym) => keysym.toString(16)).join(" ");
  const places = pixels.map((pixel) => pixel.join(","));
  const args = ["-MNet::VNC", "-e", PERL_CLIENT, String(place), password, keys, ...places];
  const { stdout } = await run("perl", args, { timeout: TIMEOUT_MS });
  return stdout.trim().split("\n");
}
