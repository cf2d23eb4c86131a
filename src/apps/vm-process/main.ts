/** The program that runs one VM; started by the typevisor command and by the library, never by hand. */

import { createVm } from "./create-vm.ts";
import { serveVm } from "./serve-vm.ts";

serveVm((definition, serial) => createVm(definition, serial));
