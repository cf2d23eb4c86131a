import { readyMadeGuest, startVm } from "typevisor";

// Fetched from Debian packages the first time. With files of your own: startVm({ kernel: "vmlinuz", … }).
await using vm = await startVm(await readyMadeGuest("linux-amd64"));

await vm.waitFor("linux-amd64 is up");
await vm.write("uname -sm; echo $((6 * 7))\n");
console.log(await vm.waitFor(/^Linux x86_64/m));
console.log(await vm.waitFor(/^42/m));

await vm.pause(); // the guest's clock stands, too
const { statistics } = await vm.statistics();
console.log(`${vm.state} after ${statistics.execution.instructionsRetired} instructions`);
