/** What serves one type of request: the tables of p9-session.ts are made of these. */

import type { SharedFolder } from "../../../share/index.ts";
import type { FidTable } from "./fid-table.ts";
import type { ReplyWriter, RequestReader } from "./messages.ts";

/** What requests work on. */
export interface SessionParts {
  readonly folder: SharedFolder;
  readonly fids: FidTable;
}

/** Reads the fields of its request and writes those of its reply; an error is thrown as a RequestFault. */
export type RequestHandler = (
  session: SessionParts,
  request: RequestReader,
  reply: ReplyWriter,
) => void | Promise<void>;

export type RequestTable = Readonly<Record<number, RequestHandler>>;
