/**
 * IDE drives as guests use them: Linux a disk and a CD-ROM drive by DMA and by PIO, with partitions, writing and the tray;
 * GNU Mach finds both.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { startVm, VmError } from "../../src/apps/embed/index.ts";
import { MiB } from "../../src/base/index.ts";
import { Unavailable } from "../programs/run-tool.ts";
import { BOOT_TIMEOUT_MS, guestOptions, LIMIT, linuxShell } from "./guests.ts";
import { IDE_MODULES, modularLinux } from "./modular-linux.ts";

const NAME = "linux-amd64";
const DISK_BYTES = 4 * MiB;
const DISC_BYTES = 2 * MiB;
/** Where the guest writes, behind the partition. */
const WRITTEN_AT = 3 * MiB;
const WRITTEN_BYTES = 256 * 1024;

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function noise(lengthBytes: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  let state = seed;
  for (let at = 0; at < lengthBytes; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}

/** A disk with one partition from sector 2048 on, of 2048 sectors. */
function partitioned(): Uint8Array {
  const bytes = noise(DISK_BYTES, 1);
  bytes.fill(0, 446, 510);
  bytes.set([0, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 8, 0, 0], 446);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

/** The ready-made guest with drivers for IDE in its initramfs. */
async function prepare(t: TestContext, folder: string) {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return undefined;
  try {
    const { kernelPath, modulesPath } = await modularLinux(IDE_MODULES);
    const initrd = join(folder, "initrd");
    const shell = await readFile(String(options.initrd));
    await writeFile(initrd, Buffer.concat([shell, await readFile(modulesPath)]));
    return { ...options, kernel: kernelPath, initrd };
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    t.skip(thrown.message);
    return undefined;
  }
}

test("Linux reads and writes IDE drives by DMA and by PIO", LIMIT, async (t) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-ide-"));
  const options = await prepare(t, folder.path);
  if (options === undefined) return;
  const disk = partitioned();
  const disc = noise(DISC_BYTES, 2);
  const diskPath = join(folder.path, "disk.img");
  const discPath = join(folder.path, "disc.iso");
  await writeFile(diskPath, disk);
  await writeFile(discPath, disc);
  {
    await using shell = await linuxShell({ ...options, disk: `${diskPath},bus=ide`, cdrom: discPath }, NAME);
    const answer = (command: string): Promise<string> => shell.answer(command);
    await answer("for m in /modules/*; do insmod $m; done; dmesg -n 1");
    const modes = "cat /sys/class/ata_device/dev[12].0/xfer_mode";
    const settle = "while [ ! -e /dev/sda1 ] || [ ! -e /dev/sr0 ]; do sleep 0.1; done; echo found";
    const digestOf = async (device: string): Promise<string> =>
      (await answer(`sha256sum ${device}`)).slice(0, 64);
    const forget = (): Promise<string> => answer("sync; echo 3 > /proc/sys/vm/drop_caches; echo done");

    await t.test("it finds both, with their partition, sizes and the controller's fastest mode", async () => {
      assert.equal(await answer(settle), "found");
      const partitions = await answer("awk '{ print $3, $4 }' /proc/partitions | grep -E 's[dr]'");
      assert.deepEqual(partitions.split(/\r?\n/).toSorted(), ["1024 sda1", "2048 sr0", "4096 sda"]);
      assert.equal(await answer(modes), "XFER_MW_DMA_2\r\nXFER_MW_DMA_2");
    });

    await t.test("by DMA it reads what is there, and reads back what it writes", async () => {
      assert.equal(await digestOf("/dev/sda"), sha256(disk));
      assert.equal(await digestOf("/dev/sr0"), sha256(disc));
      const blocks = `bs=4096 count=${WRITTEN_BYTES / 4096}`;
      await answer(`dd if=/dev/sr0 of=/dev/sda ${blocks} seek=${WRITTEN_AT / 4096} conv=fsync 2>&1`);
      disk.set(disc.subarray(0, WRITTEN_BYTES), WRITTEN_AT);
      await forget();
      assert.equal(await digestOf("/dev/sda"), sha256(disk));
    });

    await t.test("the tray opens and closes", async () => {
      const control = "/proc/sys/dev/cdrom";
      await answer(`echo 0 > ${control}/autoclose; echo 1 > ${control}/autoeject`);
      const read = "dd if=/dev/sr0 of=/dev/null bs=2048 count=1 2>&1";
      assert.match(await answer(read), /1\+0 records out/);
      // The last close has opened the tray.
      assert.match(await answer(read), /No medium found/);
      await answer(`echo 0 > ${control}/autoeject; echo 1 > ${control}/autoclose`);
      // The drive reports that the medium may have changed; Linux reads it when it has looked again.
      assert.match(await answer(`${read}; ${read}`), /1\+0 records out/);
      assert.equal(await digestOf("/dev/sr0"), sha256(disc));
    });

    await t.test("another disc comes into the drive, and a tray that is locked stays shut", async () => {
      const other = noise(DISC_BYTES / 2, 3);
      const otherPath = join(folder.path, "other.iso");
      await writeFile(otherPath, other);
      await shell.vm.insertMedium("cdrom0", otherPath);
      assert.equal(await digestOf("/dev/sr0"), sha256(other));
      await answer("exec 3</dev/sr0; echo locked");
      const locked = await shell.vm.ejectMedium("cdrom0").catch((thrown: unknown) => thrown);
      assert.ok(locked instanceof VmError && locked.code === "wrong-state", String(locked));
      await answer("exec 3<&-; echo unlocked");
      await shell.vm.ejectMedium("cdrom0");
      assert.match(await answer("dd if=/dev/sr0 of=/dev/null bs=2048 count=1 2>&1"), /No medium found/);
      await shell.vm.insertMedium("cdrom0", discPath);
      assert.equal(await digestOf("/dev/sr0"), sha256(disc));
    });

    await t.test("by PIO it reads and writes the same", async () => {
      await answer("rmmod sr_mod sd_mod ata_piix libata");
      await answer(
        "insmod /modules/*-libata.ko dma=0; for m in ata_piix sd_mod sr_mod; do insmod /modules/*-$m.ko; done",
      );
      assert.equal(await answer(settle), "found");
      assert.equal(await answer(modes), "XFER_PIO_4\r\nXFER_PIO_4");
      assert.equal(await digestOf("/dev/sda"), sha256(disk));
      assert.equal(await digestOf("/dev/sr0"), sha256(disc));
      const blocks = `bs=4096 count=${WRITTEN_BYTES / 4096}`;
      await answer(`dd if=/dev/sr0 of=/dev/sda ${blocks} skip=256 seek=${WRITTEN_AT / 4096} conv=fsync 2>&1`);
      disk.set(disc.subarray(MiB, MiB + WRITTEN_BYTES), WRITTEN_AT);
      await forget();
      assert.equal(await digestOf("/dev/sda"), sha256(disk));
    });

    await t.test("the kernel complains about nothing", async () => {
      assert.equal(await answer("dmesg | grep -cE 'ata[12].*(exception|failed|error|timeout|lost)'"), "0");
    });
  }
  assert.equal(sha256(await readFile(diskPath)), sha256(disk));
});

test("GNU Mach finds both drives, the bus master and the partition", LIMIT, async (t) => {
  const options = await guestOptions(t, "gnumach");
  if (options === undefined) return;
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-ide-"));
  const disk = join(folder.path, "disk.img");
  const disc = join(folder.path, "disc.iso");
  await writeFile(disk, partitioned());
  await writeFile(disc, noise(DISC_BYTES, 2));
  const vm = await startVm({ ...options, disk: `${disk},bus=ide`, cdrom: disc, profile: "off" });
  try {
    const timeoutMs = BOOT_TIMEOUT_MS;
    await vm.waitFor("ide: Intel 82371 PIIX3 (dual FIFO) DMA Bus Mastering IDE", { timeoutMs });
    await vm.waitFor(/hd0: Typevisor disk, 4MB w\/256kB Cache, CHS=8\/16\/63/, { timeoutMs });
    await vm.waitFor("hd2: TYPEVISR CD-ROM, ATAPI CDROM drive", { timeoutMs });
    await vm.waitFor("hd0: hd0s1", { timeoutMs });
  } finally {
    await vm.stop();
  }
});
