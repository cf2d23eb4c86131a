/** Lines of the control protocol, decoded: what is not exactly a request or a reply is none. */

import { isKeyCode, KEY_INPUTS_MAX, TYPED_TEXT_MAX_CHARACTERS } from "../../vmm/index.ts";
import {
  either,
  isCount,
  isNumber,
  isObject,
  isText,
  isUndefined,
  listUpTo,
  oneOf,
  shape,
} from "../checks.ts";
import type { Check } from "../checks.ts";
import { SCREENSHOT_MAX_BYTES } from "../messages.ts";
import type { ControlReply, ControlRequest, ReplyHeader } from "./control-protocol.ts";

/** More than a VM has drives. */
const MEDIA_MAX = 64;

const isBoolean = oneOf(true, false);
const keyName: Check = (value) => typeof value === "string" && isKeyCode(value);
const keyInput = either(
  shape({
    kind: oneOf("text"),
    text: (value) => typeof value === "string" && value.length <= TYPED_TEXT_MAX_CHARACTERS,
  }),
  shape({ kind: oneOf("key", "press", "release"), key: keyName }),
);

const mediumChange = either(
  shape({
    kind: oneOf("insert"),
    medium: shape({ file: isText, isReadOnly: isBoolean, isTemporary: isBoolean }),
  }),
  shape({ kind: oneOf("eject"), isForced: isBoolean }),
);

const noMore = shape({});
const requests: Readonly<Record<ControlRequest["command"], Check>> = {
  describe: noMore,
  pause: noMore,
  resume: noMore,
  reset: noMore,
  stop: noMore,
  screenshot: shape({ format: oneOf("png", "text") }),
  press: shape({ button: oneOf("power", "sleep") }),
  media: shape({ drive: isText, change: mediumChange }),
  keys: shape({ inputs: listUpTo(KEY_INPUTS_MAX, keyInput) }),
};

/** Undefined when the line is no request that this version knows. */
export function decodeRequest(line: Uint8Array): ControlRequest | undefined {
  const value = jsonOf(line);
  if (!isObject(value) || typeof value["command"] !== "string" || !Object.hasOwn(requests, value["command"]))
    return undefined;
  const check = requests[value["command"] as ControlRequest["command"]];
  return check(value) ? (value as ControlRequest) : undefined;
}

const replies: Readonly<Record<ControlReply["kind"], Check>> = {
  done: noMore,
  error: shape({ error: shape({ code: isText, message: isText }) }),
  description: shape({
    description: shape({
      name: isText,
      pid: either(isUndefined, isCount),
      guest: isText,
      state: oneOf("ready", "running", "paused", "ended"),
      uptimeSeconds: isNumber,
      media: listUpTo(MEDIA_MAX, shape({ name: isText, file: either(oneOf(null), isText) })),
    }),
  }),
  screenshot: shape({ byteCount: (value) => isCount(value) && Number(value) <= SCREENSHOT_MAX_BYTES }),
};

/** Undefined when the line begins no reply. */
export function decodeReplyHeader(line: Uint8Array): ReplyHeader | undefined {
  const value = jsonOf(line);
  if (!isObject(value) || typeof value["kind"] !== "string" || !Object.hasOwn(replies, value["kind"]))
    return undefined;
  const check = replies[value["kind"] as ControlReply["kind"]];
  return check(value) ? (value as ReplyHeader) : undefined;
}

function jsonOf(line: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch {
    return undefined;
  }
}
