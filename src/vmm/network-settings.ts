/**
 * The setting of network cards: `nat[,card=MODEL][,mac=ADDRESS][,host=allow][,restrict=on][,forward=...][,capture=FILE]` on a
 * command line, an object with the same names from a program.
 */

import { ok } from "../base/index.ts";
import type { Result } from "../base/index.ts";
import { NETWORK_CARD_MODELS, NETWORK_CARDS_MAX } from "../machine/index.ts";
import type { NetworkCardModel } from "../machine/index.ts";
import { parseIpv4, parseMac, PORT_FORWARDS_MAX } from "../net/index.ts";
import type { PortForward } from "../net/index.ts";
import { parseRecordParts } from "./record-text.ts";
import { wrong } from "./settings.ts";
import type { Setting, SettingError } from "./settings.ts";

const OPTION = "net";
const KINDS = ["nat", "none"] as const;
const HOST_CHOICES = ["refuse", "allow"] as const;
const SWITCH = ["off", "on"] as const;
const LOOPBACK = "127.0.0.1";

export interface NetworkDefinition {
  readonly kind: "nat";
  readonly card: NetworkCardModel;
  /** Undefined: one that follows from the VM's name. */
  readonly macAddress: Uint8Array | undefined;
  /** Whether the guest reaches what runs on the host. */
  readonly allowsHost: boolean;
  /** Whether nothing outside is reached. */
  readonly isRestricted: boolean;
  readonly forwards: readonly PortForward[];
  /** The file that all frames are written to. */
  readonly capture: string | undefined;
}

/** A network as a program writes it. */
export interface NetworkInput {
  readonly kind: string;
  readonly card?: string | undefined;
  readonly mac?: string | undefined;
  readonly host?: string | undefined;
  readonly restrict?: string | undefined;
  readonly forward?: string | readonly string[] | undefined;
  readonly capture?: string | undefined;
}

const KEYS = ["kind", "card", "mac", "host", "restrict", "forward", "capture"];

type Given = readonly (string | NetworkInput)[] | string | NetworkInput;

export const networkSetting = (
  models: readonly NetworkCardModel[] = NETWORK_CARD_MODELS,
): Setting<readonly NetworkDefinition[], Given, typeof OPTION> => ({
  option: OPTION,
  placeholder:
    `nat[,card=${models.join("|")}][,mac=ADDRESS][,host=allow][,restrict=on]` +
    "[,forward=tcp|udp:[ADDRESS:]PORT:GUESTPORT][,capture=FILE]|none",
  help:
    "network card, with DHCP, DNS and a way outside, as 10.0.2.15; host=allow lets the guest reach the host itself, its " +
    "loopback by 10.0.2.2; restrict=on keeps it from everything outside; forward, which may be repeated, leads a port " +
    "of the host's to the guest; capture writes all frames to a file for Wireshark; may be repeated",
  defaultText: "none",
  isList: true,
  isHidden: models.length === 0,
  parse(value: unknown = []) {
    const given: unknown[] = Array.isArray(value) ? value : [value];
    if (given.length > NETWORK_CARDS_MAX) return refuse(`may be given at most ${NETWORK_CARDS_MAX} times`);
    const networks: NetworkDefinition[] = [];
    for (const item of given) {
      const network = parseNetwork(item, models);
      if (!network.ok) return network;
      if (network.value !== undefined) networks.push(network.value);
      else if (given.length > 1) return refuse("is none or a network, not both");
    }
    return ok(networks);
  },
});

const refuse = (problem: string): { readonly ok: false; readonly error: SettingError } =>
  wrong(OPTION, problem);

function parseNetwork(
  item: unknown,
  models: readonly NetworkCardModel[],
): Result<NetworkDefinition | undefined, SettingError> {
  const fields = fieldsOf(item);
  const unknown = [...fields.keys()].find((key) => !KEYS.includes(key));
  if (unknown !== undefined) return refuse(`knows no "${unknown}"; there are ${KEYS.slice(1).join(", ")}`);
  const repeated = [...fields].find(([key, values]) => key !== "forward" && values.length > 1);
  if (repeated !== undefined) return refuse(`has ${repeated[0]} more than once`);
  const only = (key: string): unknown => fields.get(key)?.[0];
  const kind = KINDS.find((each) => each === only("kind"));
  if (kind === undefined) return refuse(`must be ${KINDS.join(" or ")}`);
  if (kind === "none") return fields.size > 1 ? refuse("has nothing more to say about none") : ok(undefined);
  const card = chosen(only("card"), models);
  if (card === undefined)
    return models.length === 0
      ? refuse("has no card to be on")
      : refuse(`must have card=${models.join("|")}`);
  const host = chosen(only("host"), HOST_CHOICES);
  if (host === undefined) return refuse(`must have host=${HOST_CHOICES.join("|")}`);
  const restrict = chosen(only("restrict"), SWITCH);
  if (restrict === undefined) return refuse(`must have restrict=${SWITCH.join("|")}`);
  const mac = parseMacAddress(only("mac"));
  if (!mac.ok) return mac;
  const forwards = parseForwards(fields.get("forward") ?? []);
  if (!forwards.ok) return forwards;
  const capture = only("capture");
  if (capture !== undefined && (typeof capture !== "string" || capture === ""))
    return refuse("must name a file to capture to");
  return ok({
    kind,
    card,
    macAddress: mac.value,
    allowsHost: host === "allow",
    isRestricted: restrict === "on",
    forwards: forwards.value,
    capture,
  });
}

/** All values that were given of each name. */
function fieldsOf(item: unknown): ReadonlyMap<string, readonly unknown[]> {
  const pairs: (readonly [string, unknown])[] =
    typeof item === "string"
      ? [...parseRecordParts(item, "kind")]
      : Object.entries(item ?? {}).flatMap(([key, value]: [string, unknown]) =>
          Array.isArray(value) ? value.map((each: unknown) => [key, each] as const) : [[key, value] as const],
        );
  const fields = new Map<string, unknown[]>();
  for (const [key, value] of pairs) {
    if (value === undefined) continue;
    const values = fields.get(key) ?? [];
    fields.set(key, [...values, value]);
  }
  return fields;
}

function parseMacAddress(value: unknown): Result<Uint8Array | undefined, SettingError> {
  if (value === undefined) return ok(undefined);
  const address = typeof value === "string" ? parseMac(value) : undefined;
  // The lowest bit of the first byte is that of groups (IEEE 802.3, 3.2.3).
  const isStation =
    address !== undefined && ((address[0] ?? 0) & 1) === 0 && address.some((byte) => byte > 0);
  return isStation
    ? ok(address)
    : refuse("must have mac=, the address of a single card like 52:54:00:12:34:56");
}

function parseForwards(values: readonly unknown[]): Result<readonly PortForward[], SettingError> {
  if (values.length > PORT_FORWARDS_MAX) return refuse(`forwards at most ${PORT_FORWARDS_MAX} ports`);
  const forwards: PortForward[] = [];
  for (const value of values) {
    const forward = typeof value === "string" ? parseForward(value) : undefined;
    if (forward === undefined) {
      const example =
        "forward=tcp:127.0.0.1:2222:22: protocol, address and port of the host, port of the guest";
      return refuse(`must have ports to forward like ${example}`);
    }
    forwards.push(forward);
  }
  return ok(forwards);
}

/** Without an address, only the host itself reaches the port. */
function parseForward(text: string): PortForward | undefined {
  const parts = text.split(":");
  const [protocol, address, hostPort, guestPort] =
    parts.length === 3 ? [parts[0], LOOPBACK, parts[1], parts[2]] : parts;
  const host = { address: parseIpv4(address ?? ""), port: parsePort(hostPort) };
  const guest = parsePort(guestPort);
  const isKnown = (protocol === "tcp" || protocol === "udp") && parts.length <= 4;
  if (!isKnown || host.address === undefined || host.port === undefined || guest === undefined)
    return undefined;
  return { protocol, host: { address: host.address, port: host.port }, guestPort: guest };
}

function parsePort(text: string | undefined): number | undefined {
  const port = /^\d{1,5}$/.test(text ?? "") ? Number(text) : 0;
  return port > 0 && port <= 0xffff ? port : undefined;
}

/** The first choice when nothing was said, undefined when it is none of them. */
function chosen<Choice extends string>(value: unknown, choices: readonly Choice[]): Choice | undefined {
  return value === undefined ? choices[0] : choices.find((choice) => choice === value);
}
