/**
 * The Markdown that notebooks use, as HTML: headings, lists, code, emphasis, links, paragraphs.
 *
 * Everything is escaped first; the caller still sanitises before showing it.
 */
export function markdownHtml(source: string): string {
  const parts = source.replace(/\r\n?/g, "\n").split(/^```.*$/m);
  return parts
    .map((part, index) =>
      index % 2 === 1 ? `<pre><code>${escapeHtml(part.replace(/^\n|\n$/g, ""))}</code></pre>` : blocks(part),
    )
    .join("\n");
}

function blocks(text: string): string {
  return text
    .split(/\n{2,}/)
    .map((block) => block.trim())
    .filter((block) => block !== "")
    .map(blockHtml)
    .join("\n");
}

function blockHtml(block: string): string {
  const heading = /^(#{1,6})\s+(.*)$/.exec(block.split("\n")[0] ?? "");
  if (heading !== null) {
    const level = Math.min(6, (heading[1]?.length ?? 1) + 1);
    const rest = block.split("\n").slice(1).join("\n");
    return `<h${level}>${inline(heading[2] ?? "")}</h${level}>${rest === "" ? "" : blockHtml(rest)}`;
  }
  const lines = block.split("\n");
  if (lines.every((line) => /^\s*[-*+]\s+/.test(line))) return list("ul", lines, /^\s*[-*+]\s+/);
  if (lines.every((line) => /^\s*\d+[.)]\s+/.test(line))) return list("ol", lines, /^\s*\d+[.)]\s+/);
  return `<p>${inline(block)}</p>`;
}

function list(tag: "ul" | "ol", lines: readonly string[], mark: RegExp): string {
  return `<${tag}>${lines.map((line) => `<li>${inline(line.replace(mark, ""))}</li>`).join("")}</${tag}>`;
}

function inline(text: string): string {
  return escapeHtml(text)
    .replace(/`([^`]+)`/g, "<code>$1</code>")
    .replace(/\*\*([^*]+)\*\*/g, "<strong>$1</strong>")
    .replace(/(^|[^\w*])\*([^*\s][^*]*)\*/g, "$1<em>$2</em>")
    .replace(/\[([^\]]+)\]\((https?:[^\s)"]+)\)/g, '<a href="$2" rel="noreferrer">$1</a>');
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
