import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect } from "react";
import { ProblemError } from "../services/api.ts";
import { Icon, type IconName } from "./icon.tsx";
import { useLanguage } from "./language.tsx";
import { useProblemText } from "./problem-text.ts";
import { Command } from "./text.tsx";

export interface Crumb {
  readonly label: string;
  readonly to: string;
}

interface PageProps {
  readonly title: ReactNode;
  /** For the window's title, when `title` is not plain text. */
  readonly plainTitle?: string;
  readonly crumbs?: readonly Crumb[];
  readonly subtitle?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

/** The frame of every page: where one is, its title, its actions. */
export function Page({ title, plainTitle, crumbs = [], subtitle, actions, children }: PageProps) {
  const { t } = useLanguage();
  const text = plainTitle ?? (typeof title === "string" ? title : "");
  useEffect(() => {
    document.title = text === "" ? "esteira" : `${text} · esteira`;
  }, [text]);
  return (
    <>
      <header className="page-head">
        <div className="page-head-text">
          {crumbs.length > 0 && (
            <nav aria-label={t("page.crumbs")} className="crumbs">
              {crumbs.map((crumb, index) => (
                <span key={crumb.to}>
                  {index > 0 && <Icon name="chevron" size={11} />}
                  <Link to={crumb.to}>{crumb.label}</Link>
                </span>
              ))}
            </nav>
          )}
          <h1>{title}</h1>
          {subtitle !== undefined && <div className="page-subtitle">{subtitle}</div>}
        </div>
        {actions !== undefined && <div className="page-actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

interface PanelProps {
  readonly title?: ReactNode;
  readonly icon?: IconName;
  readonly actions?: ReactNode;
  readonly flush?: boolean;
  readonly className?: string;
  readonly children: ReactNode;
}

/** A titled surface. */
export function Panel({ title, icon, actions, flush = false, className = "", children }: PanelProps) {
  return (
    <section className={`panel${flush ? " panel-flush" : ""} ${className}`}>
      {title !== undefined && (
        <div className="panel-head">
          <h2>
            {icon !== undefined && <Icon name={icon} size={16} />}
            {title}
          </h2>
          {actions}
        </div>
      )}
      <div className="panel-body">{children}</div>
    </section>
  );
}

interface EmptyProps {
  readonly icon: IconName;
  readonly title: string;
  readonly text: string;
  readonly command?: string;
  readonly children?: ReactNode;
}

/** Nothing here yet: what it would be, and what to do for it. */
export function Empty({ icon, title, text, command, children }: EmptyProps) {
  return (
    <div className="empty">
      <span className="empty-icon">
        <Icon name={icon} size={28} />
      </span>
      <h2>{title}</h2>
      <p>{text}</p>
      {command !== undefined && <Command text={command} />}
      {children}
    </div>
  );
}

/** An error as the server tells it: what, the code, and what to do. */
export function Problem({
  error,
  retry,
  action,
}: {
  readonly error: unknown;
  readonly retry?: () => void;
  readonly action?: { readonly label: string; readonly run: () => void };
}) {
  const { t } = useLanguage();
  const problem =
    error instanceof ProblemError
      ? error.problem
      : { code: "WEB_PAGE_FAILED", message: error instanceof Error ? error.message : String(error) };
  const { message, hint } = useProblemText(problem);
  const isUnreachable = problem.code === "WEB_SERVER_UNREACHABLE";
  return (
    <div className="problem" role="alert">
      <Icon name="alert" size={20} />
      <div>
        <p className="problem-message">{isUnreachable ? t("problem.unreachable") : message}</p>
        {hint !== undefined && <p className="problem-hint">{hint}</p>}
        {isUnreachable && <Command text="esteira up" />}
        <p className="problem-code">
          <code>{problem.code}</code>
        </p>
      </div>
      {action !== undefined && (
        <button type="button" className="plain-button" onClick={action.run}>
          {action.label}
        </button>
      )}
      {retry !== undefined && (
        <button type="button" className="plain-button" onClick={retry}>
          {t("problem.retry")}
        </button>
      )}
    </div>
  );
}

/** Holds the place of what is being read; shown only after a moment, so that quick answers do not flicker. */
export function Waiting({ lines = 4 }: { readonly lines?: number }) {
  const { t } = useLanguage();
  return (
    <div className="waiting" role="status" aria-label={t("page.loading")}>
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}

interface ReadResult<Data> {
  readonly data: Data | undefined;
  readonly error: unknown;
  readonly isPending: boolean;
  refetch(): unknown;
}

/**
 * Shows what was read, or that it is coming, or why it did not come. Old data stay on screen when reading again fails.
 */
export function Read<Data>({
  result,
  children,
  lines,
}: {
  readonly result: ReadResult<Data>;
  readonly children: (data: Data) => ReactNode;
  readonly lines?: number;
}) {
  if (result.data !== undefined) {
    return (
      <>
        {result.error !== null && result.error !== undefined && (
          <Problem error={result.error} retry={() => void result.refetch()} />
        )}
        {children(result.data)}
      </>
    );
  }
  if (result.isPending) return <Waiting lines={lines ?? 4} />;
  return <Problem error={result.error} retry={() => void result.refetch()} />;
}
