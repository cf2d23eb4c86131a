/** The program that runs one VM; started by the typevisor command and by the library, never by hand. */

import { enableQuickImports } from "../quick-imports.ts";

enableQuickImports();
const [{ serveVm }, { createVm }] = await Promise.all([import("./serve-vm.ts"), import("./create-vm.ts")]);
serveVm((request) => createVm(request));
