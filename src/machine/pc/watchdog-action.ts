/** What happens when a guest that has begun to feed its watchdog feeds it no more. */

export const WATCHDOG_ACTIONS = ["reset", "power-off", "none"] as const;
export type WatchdogAction = (typeof WATCHDOG_ACTIONS)[number];
