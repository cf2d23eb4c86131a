/** Whether a check came out as it should, in view of what is known to fail. */

import { expectedFailures } from "./expected-failures.ts";
import type { CheckResult } from "./report.ts";

/** Why the check is expected to fail in this guest, if it is. */
function reasonToFail(guest: string, check: CheckResult): string | undefined {
  return expectedFailures.find((failure) => failure.guest === guest && failure.check === check.name)?.reason;
}

/** What is wrong with the check's result; undefined if nothing is. */
export function problemOf(guest: string, check: CheckResult): string | undefined {
  const reason = reasonToFail(guest, check);
  if (check.state === "ok")
    return reason === undefined ? undefined : "holds, but is listed as an expected failure";
  return check.state === "skip" || reason !== undefined ? undefined : check.detail;
}

/** What to say beside the check's name. */
export function remarkOf(guest: string, check: CheckResult): string | undefined {
  if (check.state === "skip") return `not checked: ${check.detail}`;
  return check.state === "ok"
    ? undefined
    : `expected to fail: ${reasonToFail(guest, check) ?? "no"}; ${check.detail}`;
}
