import { sourceQueryFailed } from "../../source-errors.ts";
import type { HttpAnswer, HttpClient } from "./http-client.ts";
import type { HttpListing } from "./http-declaration.ts";
import { memberAt, parseExactly } from "./json-records.ts";

/** Records of one page. */
export type RecordPage = readonly unknown[];

/** What is asked for, page by page, until there is no more. */
export async function* readPages(
  client: HttpClient,
  listing: HttpListing,
  of: { readonly source: string; readonly url: URL; readonly maxPages: number },
): AsyncGenerator<RecordPage> {
  const asked = new Set<string>();
  let url: URL | undefined = firstPage(listing, of.url);
  for (let page = 0; url !== undefined; page++) {
    if (page === of.maxPages)
      throw sourceQueryFailed({ source: of.source, reason: `there are more than ${of.maxPages} pages (max_pages)` });
    if (asked.has(url.href))
      throw sourceQueryFailed({
        source: of.source,
        reason: `page ${page + 1} is one that was read before: ${url.origin}${url.pathname}`,
      });
    asked.add(url.href);
    const answer = await client.get(url);
    const body = parseBody(answer, of.source);
    const records = recordsOf(body, listing, { answer, source: of.source });
    yield records;
    url = nextPage(listing, { url, answer, body, count: records.length, page });
  }
}

function parseBody({ body, url, status }: HttpAnswer, source: string): unknown {
  if (body.trim() === "" && status === 204) return [];
  try {
    return parseExactly(body);
  } catch {
    throw sourceQueryFailed({
      source,
      reason: `${url.origin}${url.pathname} does not answer with JSON, but with ${JSON.stringify(body.slice(0, 80))}`,
    });
  }
}

function recordsOf(
  body: unknown,
  { records }: HttpListing,
  { answer, source }: { readonly answer: HttpAnswer; readonly source: string },
): RecordPage {
  const found = records === undefined ? body : memberAt(body, records);
  if (Array.isArray(found)) return found;
  // Services leave an empty list out, or write null.
  if (found === null || (found === undefined && records !== undefined && hasParent(body, records))) return [];
  if (typeof found === "object" && found !== undefined) return [found];
  const members = typeof body === "object" && body !== null ? Object.keys(body).slice(0, 20).join(", ") : typeof body;
  throw sourceQueryFailed({
    source,
    reason: `${answer.url.origin}${answer.url.pathname} has no records at ${records ?? "its top"}; it has ${members}`,
  });
}

function hasParent(body: unknown, records: string): boolean {
  const parent = records.split(".").slice(0, -1);
  if (parent.length === 0) return false;
  const found = memberAt(body, parent.join("."));
  return typeof found === "object" && found !== null && !Array.isArray(found);
}

function firstPage({ pages }: HttpListing, given: URL): URL {
  const url = new URL(given);
  if (typeof pages !== "object") return url;
  if ("offset" in pages) url.searchParams.set(pages.offset, "0");
  if ("page" in pages) url.searchParams.set(pages.page, String(pages.start ?? 1));
  if ("limit" in pages && pages.limit !== undefined && pages.size !== undefined)
    url.searchParams.set(pages.limit, String(pages.size));
  return url;
}

interface ReadPage {
  readonly url: URL;
  readonly answer: HttpAnswer;
  readonly body: unknown;
  readonly count: number;
  readonly page: number;
}

function nextPage({ pages }: HttpListing, { url, answer, body, count, page }: ReadPage): URL | undefined {
  if (pages === undefined) return undefined;
  if (pages === "link") return toUrl(linkedNext(answer.headers["link"]), answer.url);
  if ("next" in pages) return toUrl(memberAt(body, pages.next), answer.url);
  const following = new URL(url);
  if ("cursor" in pages) {
    const mark = memberAt(body, pages.cursor);
    if (mark === undefined || mark === null || mark === "" || mark === false) return undefined;
    following.searchParams.set(pages.param, typeof mark === "string" ? mark : JSON.stringify(mark));
    return following;
  }
  if (count === 0 || (pages.size !== undefined && count < pages.size)) return undefined;
  if ("offset" in pages) following.searchParams.set(pages.offset, String((page + 1) * pages.size));
  else following.searchParams.set(pages.page, String((pages.start ?? 1) + page + 1));
  return following;
}

function toUrl(text: unknown, base: URL): URL | undefined {
  return typeof text === "string" && text !== "" && URL.canParse(text, base.href)
    ? new URL(text, base.href)
    : undefined;
}

/** The target of `rel="next"` (RFC 8288). */
function linkedNext(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header.join(", ") : (header ?? "");
  for (const [, target, parameters = ""] of text.matchAll(/<([^>]*)>((?:\s*;[^,<]*)*)/g))
    if (/;\s*rel\s*=\s*("([^"]*\s)?next(\s[^"]*)?"|next\b)/i.test(parameters)) return target;
  return undefined;
}
