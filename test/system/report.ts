/** What a guest printed: a line per check and a plan, as guests/include/report.s writes them. */

export type CheckState = "ok" | "not ok" | "skip";

export interface CheckResult {
  /** The claim that it belongs to. */
  readonly topic: string;
  readonly name: string;
  readonly state: CheckState;
  /** Of a failed check what differed, of a skipped one the reason. */
  readonly detail: string;
}

export interface GuestReport {
  readonly checks: readonly CheckResult[];
  /** Number of checks that the guest's source has; undefined if it did not come to its end. */
  readonly planned: number | undefined;
  /** Everything else it said. */
  readonly remarks: readonly string[];
}

const CHECK = /^(ok|not ok|skip) ([^:]+)(?:: (.*))?$/;
const TOPIC = /^# topic: (.+)$/;
const PLAN = /^1\.\.(\d+)$/;

export function readReport(output: string): GuestReport {
  const checks: CheckResult[] = [];
  const remarks: string[] = [];
  let planned: number | undefined;
  let topic = "";
  for (const line of output.split(/\r?\n/)) {
    const check = CHECK.exec(line);
    const plan = PLAN.exec(line);
    const topicLine = TOPIC.exec(line);
    if (plan !== null) planned = Number(plan[1]);
    else if (topicLine !== null) topic = topicLine[1] ?? "";
    else if (check === null) remarks.push(...(line === "" ? [] : [line]));
    else checks.push({ topic, state: stateOf(check[1]), name: check[2] ?? "", detail: check[3] ?? "" });
  }
  return { checks, planned, remarks };
}

function stateOf(word: string | undefined): CheckState {
  return word === "ok" || word === "skip" ? word : "not ok";
}

/** What is wrong with a report as a whole: it must have the checks it planned, at least one, each once. */
export function problemsOf(report: GuestReport): string[] {
  const problems: string[] = [];
  const { checks, planned } = report;
  if (planned === undefined) problems.push("the guest did not come to its end");
  else if (planned === 0) problems.push("the guest checks nothing");
  else if (planned !== checks.length) problems.push(`${planned} checks were planned, ${checks.length} came`);
  const names = new Set<string>();
  for (const { name } of checks) {
    if (names.has(name)) problems.push(`two checks are called "${name}"`);
    names.add(name);
  }
  return problems;
}
