import { folderSegments, INCOMING_FOLDER } from "../file-path.ts";
import type { FolderEntry, ListedFile } from "../files.ts";
import type { S3Client } from "./s3-client.ts";
import { elementOf, elementsOf } from "./s3-xml.ts";

export interface Listing {
  readonly client: S3Client;
  /** Keys of one request. */
  readonly pageKeys: number;
}

/** All files below a folder. */
export async function* listStored(listing: Listing, folder = ""): AsyncGenerator<ListedFile> {
  const root = keyOfFolder(listing.client, []);
  const segments = folderSegments(folder);
  for await (const page of pages(listing, keyOfFolder(listing.client, segments)))
    for (const entry of elementsOf(page, "Contents")) {
      const path = (elementOf(entry, "Key") ?? "").slice(root.length);
      // A console makes empty objects for folders.
      if (path === "" || path.endsWith("/")) continue;
      if (segments[0] !== INCOMING_FOLDER && path.startsWith(`${INCOMING_FOLDER}/`)) continue;
      yield {
        path,
        sizeBytes: Number(elementOf(entry, "Size")),
        modifiedAtMs: Date.parse(elementOf(entry, "LastModified") ?? ""),
      };
    }
}

/** Files and folders directly in a folder. */
export async function entriesOfStored(listing: Listing, folder: string): Promise<FolderEntry[]> {
  const prefix = keyOfFolder(listing.client, folderSegments(folder));
  const found = new Map<string, FolderEntry>();
  for await (const page of pages(listing, prefix, "/")) {
    for (const entry of elementsOf(page, "Contents")) {
      const name = (elementOf(entry, "Key") ?? "").slice(prefix.length);
      if (name !== "" && !name.endsWith("/") && !found.has(name))
        found.set(name, { name, isFolder: false, sizeBytes: Number(elementOf(entry, "Size")) });
    }
    for (const common of elementsOf(page, "CommonPrefixes")) {
      const name = (elementOf(common, "Prefix") ?? "").slice(prefix.length, -1);
      if (name !== "" && !(folder === "" && name === INCOMING_FOLDER))
        found.set(name, { name, isFolder: true, sizeBytes: 0 });
    }
  }
  return [...found.values()];
}

/** Prefix of the keys below a folder. */
export function keyOfFolder(client: S3Client, segments: readonly string[]): string {
  const key = client.key(segments.join("/"));
  return key === "" ? "" : `${key}/`;
}

async function* pages({ client, pageKeys }: Listing, prefix: string, delimiter?: string): AsyncGenerator<string> {
  for (let token: string | undefined; ;) {
    const { response } = await client.send({
      method: "GET",
      query: {
        "list-type": "2",
        "max-keys": String(pageKeys),
        prefix,
        ...(delimiter === undefined ? {} : { delimiter }),
        ...(token === undefined ? {} : { "continuation-token": token }),
      },
    });
    const text = await response.text();
    yield text;
    token = elementOf(text, "NextContinuationToken");
    if (elementOf(text, "IsTruncated") !== "true" || token === undefined) return;
  }
}
