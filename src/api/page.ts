/** A bounded part of a list. Keyset paging: pass `next` back as `after` to read on. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Opaque; absent when there is nothing more. */
  readonly next?: string | undefined;
}
