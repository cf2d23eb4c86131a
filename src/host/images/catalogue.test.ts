import assert from "node:assert/strict";
import { test } from "node:test";
import { findGuest, GUEST_CATALOGUE, packagedFiles } from "./catalogue.ts";
import { closestNames } from "./closest-names.ts";
import { guestRecipe } from "./manifest.ts";

test("every guest is found by its name, and names can be folder names", () => {
  assert.equal(GUEST_CATALOGUE.length, 5);
  for (const entry of GUEST_CATALOGUE) {
    assert.match(entry.name, /^[a-z][a-z0-9-]*$/);
    assert.deepEqual(findGuest(entry.name), { ok: true, value: entry });
  }
});

test("an unknown guest is answered with the closest names, or with all", () => {
  const close = findGuest("linux-amd46");
  const far = findGuest("windows");

  assert(!close.ok && !far.ok);
  assert.equal(close.error.message, 'there is no guest named "linux-amd46"; did you mean linux-amd64?');
  assert.match(far.error.message, /there are linux-amd64, linux-i386, gnumach/);
});

test("suggestions are ordered by distance, and part of a name is enough", () => {
  const names = ["linux-amd64", "linux-i386", "gnumach"];

  assert.deepEqual(closestNames("linux", names), ["linux-amd64", "linux-i386"]);
  assert.deepEqual(closestNames("Gnumac", names), ["gnumach"]);
  assert.deepEqual(closestNames("l", names), []);
  assert.deepEqual(closestNames("linux-i385", names), ["linux-i386"]);
});

test("file patterns take the kernel of Debian's packages and nothing beside it", () => {
  const pathOf = (name: string) => {
    const entry = findGuest(name);
    assert(entry.ok);
    return entry.value.kernel.path;
  };

  assert.match("boot/vmlinuz-6.1.0-50-cloud-amd64", pathOf("linux-amd64"));
  assert.doesNotMatch("boot/System.map-6.1.0-50-cloud-amd64", pathOf("linux-amd64"));
  assert.match("boot/gnumach-1.8-486-dbg.gz", pathOf("gnumach"));
  assert.match("boot/memtest86+x64.bin", pathOf("memtest86plus"));
  assert.doesNotMatch("boot/memtest86+x64.efi", pathOf("memtest86plus"));
  assert.match("boot/invaders.exec", pathOf("grub-invaders"));
});

test("Linux guests say their own name, and another init is another recipe", () => {
  const linux = GUEST_CATALOGUE.filter((entry) => entry.busybox !== undefined);
  assert.equal(linux.length, 2);
  for (const entry of linux) {
    assert.equal(entry.mark.text, `typevisor: ${entry.name} is up`);
    assert.equal(packagedFiles(entry).length, 2);
    const other = { ...entry, mark: { ...entry.mark, text: "something else" } };
    assert.notEqual(guestRecipe(other), guestRecipe(entry));
  }
});
