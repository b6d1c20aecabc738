/** Discovery pages as src/discovery wants them. */
import { GantryError } from "../base/errors.ts";
import type { GetPage } from "../discovery/discovery.ts";
import { shownUrl } from "../transfer/failure.ts";
import type { Web } from "./web.ts";

const PAGE_LIMIT = 1024 * 1024;

/** A server's "no" and "not now" leave the parents to be asked; that it is not there at all ends the search. */
export function pagesOf(web: Web): GetPage {
  return async (url) => {
    const { status, bytes, url: last } = await web.readPage(url, PAGE_LIMIT);
    if (status >= 200 && status < 300) return bytes.toString("utf8");
    web.client.log(`${shownUrl(last)} answers ${status}`);
    if (status >= 400 && status < 500) return undefined;
    throw new GantryError("FetchFailed", `${shownUrl(last)} answers ${status}`);
  };
}
