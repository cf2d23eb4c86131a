// The x87, MMX and SSE registers after RESET (SDM vol. 3A table 9-1): all registers +0.0 and in use, exceptions of
// the x87 unmasked until FNINIT, those of SSE masked. INIT leaves them alone.
import * as L from "../layout";
import { S, set32 } from "./state";
import { resetX87 } from "./x87";

export function resetFpu(): void {
  memory.fill(S + L.X87, 0, 8 * L.X87_STRIDE);
  resetX87();
  store<u16>(S + L.X87_CW, 0x40);
  store<u8>(S + L.X87_TAG, 0xff);
  memory.fill(S + L.XMM, 0, L.XMM_COUNT * L.XMM_STRIDE);
  set32(L.MXCSR, 0x1f80);
}
