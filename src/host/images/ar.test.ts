import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_AR_MEMBERS, readArMembers } from "./ar.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function header(name: string, size: string, end = "`\n"): string {
  return (
    name.padEnd(16) +
    "0".padEnd(12) +
    "0".padEnd(6) +
    "0".padEnd(6) +
    "100644".padEnd(8) +
    size.padEnd(10) +
    end
  );
}

function archive(...members: readonly (readonly [name: string, data: string])[]): Uint8Array {
  const parts = members.map(
    ([name, data]) => header(name, `${data.length}`) + data + "\n".repeat(data.length % 2),
  );
  return bytes(`!<arch>\n${parts.join("")}`);
}

function errorOf(damaged: Uint8Array): string {
  const result = readArMembers(damaged);
  assert(!result.ok);
  assert.equal(result.error.code, "archive-damaged");
  return result.error.message;
}

test("members come in file order, odd sizes are padded, and a System V slash is no part of a name", () => {
  const result = readArMembers(archive(["debian-binary", "2.0\n"], ["odd/", "abc"], ["last", "xy"]));

  assert(result.ok);
  const members = result.value.map(({ name, data }) => [name, new TextDecoder().decode(data)]);
  assert.deepEqual(members, [
    ["debian-binary", "2.0\n"],
    ["odd", "abc"],
    ["last", "xy"],
  ]);
});

test("an odd last member needs no padding byte", () => {
  const padded = archive(["a", "abc"]);

  const result = readArMembers(padded.subarray(0, padded.length - 1));

  assert(result.ok);
  assert.equal(result.value[0]?.data.length, 3);
});

test("damage is told apart", () => {
  assert.match(errorOf(bytes("!<arch>")), /no ar archive/);
  assert.match(errorOf(bytes("!<arch>\nshort")), /inside a member header/);
  assert.match(errorOf(bytes(`!<arch>\n${header("a", "0", "x\n")}`)), /byte 8 is damaged/);
  assert.match(errorOf(bytes(`!<arch>\n${header("a", "-1")}`)), /no size/);
  assert.match(errorOf(bytes(`!<arch>\n${header("a", "5")}abcd`)), /shorter than its last member/);
});

test("the limit of members holds", () => {
  const names = Array.from({ length: MAX_AR_MEMBERS }, (_, index) => [`m${index}`, ""] as const);

  assert(readArMembers(archive(...names)).ok);
  assert.match(errorOf(archive(...names, ["more", ""])), /more than 16 members/);
});
