/** Debian packages unpacked for tests that need files of them: downloaded with apt-get from the sources that the host has. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { runTool, Unavailable } from "../programs/run-tool.ts";

/** The kernel of the day, on which a meta package depends. Throws Unavailable where apt-cache knows none. */
export async function kernelPackage(metaPackage: string): Promise<string> {
  const depends = await runTool("apt-cache", ["depends", metaPackage]);
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Unavailable(`apt-cache knows no ${metaPackage}; run apt-get update`);
  return name;
}

/** Unpacks a package below the empty folder `work`, and gives the root of its files. Throws Unavailable where it cannot. */
export async function unpackPackage(name: string, work: string): Promise<string> {
  await runTool("apt-get", ["-q", "-o", "APT::Sandbox::User=root", "download", name], { cwd: work });
  const deb = (await readdir(work)).find((file) => file.endsWith(".deb"));
  if (deb === undefined) throw new Unavailable(`apt-get downloaded no ${name}`);
  await runTool("dpkg-deb", ["-x", deb, "root"], { cwd: work });
  return join(work, "root");
}
