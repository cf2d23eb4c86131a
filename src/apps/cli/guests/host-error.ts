/**
 * Exceptions on the way through a fetch: a known failure travels as an ImageFault to the one place that turns it
 * into a Result; errors of the operating system are told apart by their code; anything else is our own bug.
 */
import type { ImageError, ImageErrorCode, ImageResult } from "../../../host/index.ts";

/** An ImageError as an exception, inside this folder only. */
export class ImageFault extends Error {
  override readonly name = "ImageFault";
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The value, or the error thrown as an {@link ImageFault}. */
export function orThrow<T>(result: ImageResult<T>): T {
  if (!result.ok) throw new ImageFault(result.error.code, result.error.message);
  return result.value;
}

/** The operator error that `thrown` stands for; undefined when it is a bug of ours and must be thrown on. */
export function imageErrorOf(thrown: unknown, cacheFolder: string): ImageError | undefined {
  if (thrown instanceof ImageFault) return { code: thrown.code, message: thrown.message };
  if (!(thrown instanceof Error)) return undefined;
  if (thrown.name === "AbortError") return { code: "aborted", message: "the fetch was cancelled" };
  switch (systemCodeOf(thrown)) {
    case "ENOSPC":
    case "EDQUOT":
      return {
        code: "disk-full",
        message: `the disk that holds ${cacheFolder} is full; free some space there`,
      };
    case "EACCES":
    case "EPERM":
    case "EROFS":
    case "ENOTDIR":
      return {
        code: "cache-unusable",
        message: `the cache folder ${cacheFolder} cannot be written (${thrown.message}); set XDG_CACHE_HOME to another`,
      };
    default:
      return undefined;
  }
}

/** The code of a Node system error (ENOENT…), also of the cause that fetch wraps. */
export function systemCodeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  if ("code" in thrown && typeof thrown.code === "string") return thrown.code;
  return systemCodeOf(thrown.cause);
}
