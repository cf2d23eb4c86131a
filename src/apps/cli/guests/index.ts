/** Ready-made guests for the command line, the demo and the tests. */

export { defaultGuestCacheFolder } from "./guest-cache.ts";
export { fetchGuest, fetchGuests, GuestFetcher, listGuests } from "./guest-fetcher.ts";
export type { FetchedGuest, FetchOptions, GuestListing } from "./guest-fetcher.ts";
export { ProgressPrinter } from "./guest-progress.ts";
export type { GuestProgress, GuestProgressEvent, ProgressTerminal } from "./guest-progress.ts";
export { guestsHelp, LIST_FORMATS, runGuestsFetch, runGuestsList } from "./guests-command.ts";
export type { GuestsCommandOutput, GuestsFetchOptions, ListFormat } from "./guests-command.ts";
