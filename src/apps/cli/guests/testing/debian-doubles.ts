/** Small Debian packages and a Debian mirror on the loopback interface, for tests. */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { packTar } from "modern-tar";
import { assert } from "../../../../base/index.ts";

export interface DoubleFile {
  readonly path: string;
  readonly data: Uint8Array;
}

/** A .deb of format 2.0 that holds the files in the given order. */
export async function debOf(
  files: readonly DoubleFile[],
  compression: "none" | "gzip" | "zstd" = "gzip",
): Promise<Uint8Array<ArrayBuffer>> {
  const tar = await packTar(
    files.map(({ path, data }) => ({
      header: { name: `./${path}`, size: data.length, type: "file", mtime: new Date(0) },
      body: data,
    })),
  );
  switch (compression) {
    case "none":
      return debOfData("data.tar", tar);
    case "gzip":
      return debOfData("data.tar.gz", gzipSync(tar));
    case "zstd":
      return debOfData("data.tar.zst", zstdCompressSync(tar));
  }
}

/** A .deb around a data member that is already packed and compressed. */
export function debOfData(memberName: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const member = (name: string, content: Uint8Array): Buffer =>
    Buffer.concat([
      Buffer.from(`${name.padEnd(48)}${String(content.length).padEnd(10)}\`\n`),
      content,
      Buffer.from("\n".repeat(content.length % 2)),
    ]);
  const version = member("debian-binary", Buffer.from("2.0\n"));
  const control = member("control.tar", new Uint8Array(1024));
  return new Uint8Array(
    Buffer.concat([Buffer.from("!<arch>\n"), version, control, member(memberName, data)]),
  );
}

export interface DoublePackage {
  readonly name: string;
  readonly architecture: "amd64" | "i386";
  readonly version: string;
  readonly depends?: string;
  readonly deb: Uint8Array;
}

/** A mirror with one suite, "bookworm". `files` may be changed by a test; requests are recorded by path. */
export class MirrorDouble implements AsyncDisposable {
  readonly files = new Map<string, Uint8Array>();
  readonly requests: string[] = [];
  /** Called before each answer; a test may abort something in it. */
  onRequest: (path: string) => void = () => undefined;
  readonly #server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? "").replace(/^\/debian\//, ""));
    this.requests.push(path);
    this.onRequest(path);
    const body = this.files.get(path);
    response.writeHead(body === undefined ? 404 : 200);
    response.end(body);
  });

  static async start(packages: readonly DoublePackage[]): Promise<MirrorDouble> {
    const mirror = new MirrorDouble();
    const indexes = new Map<string, string>([
      ["amd64", ""],
      ["i386", ""],
    ]);
    for (const { name, architecture, version, depends, deb } of packages) {
      const filename = `pool/main/${name}_${version.replace(/^\d+:/, "")}_${architecture}.deb`;
      mirror.files.set(filename, deb);
      const fields = [
        `Package: ${name}`,
        `Version: ${version}`,
        `Architecture: ${architecture}`,
        ...(depends === undefined ? [] : [`Depends: ${depends}`]),
        `Filename: ${filename}`,
        `Size: ${deb.length}`,
        `SHA256: ${sha256(deb)}`,
      ];
      indexes.set(architecture, `${indexes.get(architecture) ?? ""}${fields.join("\n")}\n\n`);
    }
    const lines = [...indexes].map(([architecture, text]) => {
      const index = gzipSync(text);
      const path = `main/binary-${architecture}/Packages.gz`;
      mirror.files.set(`dists/bookworm/${path}`, index);
      return ` ${sha256(index)} ${index.length} ${path}`;
    });
    const release = `Origin: Debian\nCodename: bookworm\nSHA256:\n${lines.join("\n")}\n`;
    mirror.files.set("dists/bookworm/InRelease", Buffer.from(release));
    await new Promise<void>((resolve) => {
      mirror.#server.listen(0, "127.0.0.1", resolve);
    });
    return mirror;
  }

  get url(): string {
    const address = this.#server.address();
    assert(typeof address === "object" && address !== null, "the mirror listens");
    return `http://127.0.0.1:${address.port}/debian`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

function sha256(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

export const DOUBLE_KERNEL = Buffer.from("a Linux kernel, as far as a test can tell");
export const DOUBLE_BUSYBOX = Buffer.from("\x7fELF a busybox");
export const DOUBLE_MACH = Buffer.from("a Mach kernel");

/** The packages of guests linux-amd64 and gnumach, with a meta package and an older kernel as Debian has them. */
export async function doublePackages(): Promise<DoublePackage[]> {
  const kernelDeb = await debOf([
    { path: "boot/System.map-6.1.0-9-cloud-amd64", data: Buffer.from("ffff B the_map") },
    { path: "boot/config-6.1.0-9-cloud-amd64", data: Buffer.alloc(130_000, "CONFIG=y\n") },
    { path: "boot/vmlinuz-6.1.0-9-cloud-amd64", data: DOUBLE_KERNEL },
  ]);
  const busyboxDeb = await debOf([{ path: "bin/busybox", data: DOUBLE_BUSYBOX }], "zstd");
  const machDeb = await debOf([{ path: "boot/gnumach-1.8-486-dbg.gz", data: gzipSync(DOUBLE_MACH) }], "none");
  const amd64 = { architecture: "amd64", version: "6.1-2" } as const;
  const real = "linux-image-6.1.0-9-cloud-amd64";
  return [
    { ...amd64, name: "linux-image-cloud-amd64", depends: `${real} (= 6.1-2)`, deb: await debOf([]) },
    { ...amd64, name: real, version: "6.1-1", deb: await debOf([]) },
    { ...amd64, name: real, deb: kernelDeb },
    { ...amd64, name: "busybox-static", version: "1:1.35", deb: busyboxDeb },
    { name: "gnumach-image-1.8-486-dbg", architecture: "i386", version: "2:1.8", deb: machDeb },
  ];
}
