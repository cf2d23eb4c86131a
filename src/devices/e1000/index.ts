/** Intel's gigabit network card. */

export { E1000 } from "./e1000.ts";
export type { E1000Config } from "./e1000.ts";
