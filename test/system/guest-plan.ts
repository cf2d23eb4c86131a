/** What a guest's source says about how to run it, in comments of its own at the beginning of a line. */

import { readFileSync } from "node:fs";
import { guestNames, sourceOf } from "./assemble.ts";

export interface GuestPlan {
  /** The guest's name, with the number of the variant if it has several. */
  readonly title: string;
  readonly guest: string;
  /** The kernel's command line: the number of the variant. */
  readonly commandLine: string;
  readonly ending: "debug-exit" | "crashed";
}

/** One for each guest and each variant of it: "variants: 3", "ends: crashed". */
export function guestPlans(): GuestPlan[] {
  return guestNames().flatMap((guest) => {
    const source = readFileSync(sourceOf(guest), "utf8");
    const ending = /^# ends: crashed$/m.test(source) ? "crashed" : "debug-exit";
    const variants = Number(/^# variants: (\d)$/m.exec(source)?.[1] ?? "0");
    if (variants === 0) return [{ title: guest, guest, commandLine: "", ending }];
    return Array.from({ length: variants }, (_, index) => {
      const number = String(index + 1);
      return { title: `${guest} ${number}`, guest, commandLine: number, ending } as const;
    });
  });
}
