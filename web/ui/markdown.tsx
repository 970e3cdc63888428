import DOMPurify from "dompurify";
import { useMemo } from "react";
import { markdownHtml } from "../models/markdown.ts";
import "./notebook.css";

/** Markdown of users: no images, no styles, no forms, nothing that runs. */
export function Markdown({ source }: { readonly source: string }) {
  const html = useMemo(
    () =>
      DOMPurify.sanitize(markdownHtml(source), {
        FORBID_TAGS: ["style", "form", "input", "iframe", "img"],
        FORBID_ATTR: ["style", "class", "id"],
      }),
    [source],
  );
  return <div className="markdown" dangerouslySetInnerHTML={{ __html: html }} />;
}
