import { useLanguage } from "./language.tsx";
import "./notebook.css";

/** HTML of users runs no script, loads nothing and cannot reach this page: a sandbox without any permission. */
export function HtmlFrame({ html }: { readonly html: string }) {
  const { t } = useLanguage();
  const page = `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"><style>body{font:13px system-ui,sans-serif;margin:8px;color:#1a1d22;background:#fff}table{border-collapse:collapse}td,th{padding:3px 9px;border-bottom:1px solid #ddd;text-align:right}</style>${html}`;
  const rows = (html.match(/<tr/g) ?? []).length;
  return (
    <iframe
      className="cell-frame"
      sandbox=""
      title={t("notebook.html")}
      srcDoc={page}
      style={{ height: Math.min(460, Math.max(70, rows * 27 + 46)) }}
    />
  );
}
