/**
 * `typevisor guests` and `typevisor guests fetch NAME…`: what they print and their exit status. Results go to
 * standard output, progress and errors to standard error; the command line's main parses the options.
 */
import { MiB } from "../../../base/index.ts";
import { GUEST_CATALOGUE } from "../../../host/index.ts";
import type { CatalogueEntry, ImageError } from "../../../host/index.ts";
import { defaultGuestCacheFolder } from "./guest-cache.ts";
import { GuestFetcher, listGuests } from "./guest-fetcher.ts";
import type { FetchedGuest, FetchOptions, GuestListing } from "./guest-fetcher.ts";
import { ProgressPrinter } from "./guest-progress.ts";
import type { ProgressTerminal } from "./guest-progress.ts";

export const LIST_FORMATS = ["table", "json"] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

export interface GuestsCommandOutput {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: ProgressTerminal;
}

export interface GuestsFetchOptions extends Omit<FetchOptions, "onProgress"> {
  readonly names: readonly string[];
  /** Every guest of the catalogue, instead of names. */
  readonly all: boolean;
  readonly format: ListFormat;
}

const EXIT_OK = 0;
const EXIT_ERROR = 1;
/** 128 + SIGINT, as shells report it. */
const EXIT_INTERRUPTED = 130;

/** Prints the catalogue with what of it is in the cache; the exit status. */
export async function runGuestsList(
  options: Pick<FetchOptions, "cacheFolder"> & { readonly format: ListFormat },
  output: GuestsCommandOutput = process,
): Promise<number> {
  const listings = await listGuests(options);
  if (options.format === "json") {
    output.stdout.write(`${JSON.stringify(listings.map(listingJson), undefined, 2)}\n`);
    return EXIT_OK;
  }
  const header = ["NAME", "MEMORY", "FETCHED", "WHAT IT IS"];
  output.stdout.write(table([header, ...listings.map(listingRow)]));
  if (listings.some(({ fetched }) => fetched === undefined)) {
    output.stdout.write("\nFetch guests with: typevisor guests fetch NAME…, or --all\n");
  }
  return EXIT_OK;
}

/** Fetches the named guests, each even if one before it failed; the exit status. Ctrl-C leaves the cache whole. */
export async function runGuestsFetch(
  options: GuestsFetchOptions,
  output: GuestsCommandOutput = process,
): Promise<number> {
  const { names, all, format, ...fetchOptions } = options;
  const wanted = all ? GUEST_CATALOGUE.map((entry) => entry.name) : [...new Set(names)];
  if (wanted.length === 0 || (all && names.length > 0)) {
    output.stderr.write("error: name the guests to fetch, or give --all for every one\n");
    return EXIT_ERROR;
  }

  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  const signal = AbortSignal.any([
    interrupt.signal,
    ...(options.signal === undefined ? [] : [options.signal]),
  ]);
  const printer = new ProgressPrinter(output.stderr);
  const guests: FetchedGuest[] = [];
  const errors: ImageError[] = [];
  try {
    await using fetcher = new GuestFetcher({ ...fetchOptions, signal, onProgress: printer.show });
    for (const name of wanted) {
      const guest = await fetcher.fetch(name);
      printer.finish();
      if (guest.ok) {
        guests.push(guest.value);
        continue;
      }
      output.stderr.write(`error: ${guest.error.message}\n`);
      errors.push(guest.error);
      if (guest.error.code === "aborted") break;
    }
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
  if (format === "json") output.stdout.write(`${JSON.stringify(guests.map(guestJson), undefined, 2)}\n`);
  if (errors.some((error) => error.code === "aborted")) return EXIT_INTERRUPTED;
  return errors.length > 0 ? EXIT_ERROR : EXIT_OK;
}

/** The help text's list of guests and the folder they are cached in. */
export function guestsHelp(): string {
  const names = GUEST_CATALOGUE.map((entry) => entry.name).join(", ");
  return `Guests: ${names}.\nThey are cached in ${defaultGuestCacheFolder()}.\n`;
}

function listingRow({ entry, fetched }: GuestListing): string[] {
  const [kernelPackage] = fetched?.packages ?? [];
  return [entry.name, `${entry.memorySizeBytes / MiB} MiB`, kernelPackage?.version ?? "no", entry.title];
}

function listingJson({ entry, fetched }: GuestListing): object {
  return { ...entryJson(entry), fetched: fetched ?? null };
}

function entryJson({ name, title, boot, commandLine, memorySizeBytes, mark, notes }: CatalogueEntry): object {
  return { name, title, boot, commandLine, memorySizeBytes, mark, notes };
}

function guestJson({ manifest, initrdPath, ...guest }: FetchedGuest): object {
  return { ...guest, initrdPath: initrdPath ?? null, packages: manifest.packages, origin: manifest.origin };
}

/** Left-aligned columns, two spaces apart. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return rows.map((row) => `${line(row)}\n`).join("");
}
