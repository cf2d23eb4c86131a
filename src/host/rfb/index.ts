/** The RFB protocol, by which VNC viewers show a VM's screen. */

export { TILE_HEIGHT, TILE_WIDTH } from "./dirty-tiles.ts";
export { RFB_CLIENTS_MAX, RFB_HANDSHAKE_NS, RfbServer } from "./rfb-server.ts";
export type { RfbClient, RfbConnection, RfbServerParts } from "./rfb-server.ts";
export type { RfbSecurity } from "./rfb-handshake.ts";
export type { ZlibStream } from "./rfb-session.ts";
