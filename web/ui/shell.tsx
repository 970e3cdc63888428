import { ActionIcon, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { Overview } from "#api";
import { NAVIGATION } from "../routes/navigation.ts";
import { type Connection, followChanges } from "../services/changes.ts";
import { queries } from "../services/queries.ts";
import { Icon } from "./icon.tsx";
import { useLanguage } from "./language.tsx";
import { Drawer } from "./overlay.tsx";
import { Shortcuts } from "./shortcuts.tsx";
import { SignIn } from "./sign-in.tsx";

const LANGUAGE_NAMES = { en: "English", "pt-BR": "Português (Brasil)" } as const;

/** Side bar, page, and what belongs to all pages: live changes, shortcuts, languages, colours. */
export function Shell() {
  const { t } = useLanguage();
  const [isMenuOpen, setMenuOpen] = useState(false);
  const [isHelpOpen, setHelpOpen] = useState(false);
  const connection = useChanges();
  useProjectLanguage();
  const main = useMainFocus();
  return (
    <div className="shell">
      <a className="skip-link" href="#main">
        {t("shell.skip")}
      </a>
      <aside className="sidebar">
        <Sidebar connection={connection} onHelp={() => setHelpOpen(true)} />
      </aside>
      <header className="topbar">
        <ActionIcon variant="subtle" color="gray" aria-label={t("shell.menu")} onClick={() => setMenuOpen(true)}>
          <Icon name="menu" />
        </ActionIcon>
        <Brand />
      </header>
      <Drawer
        opened={isMenuOpen}
        onClose={() => setMenuOpen(false)}
        size={270}
        title={t("shell.menu")}
        closeButtonProps={{ "aria-label": t("shell.close") }}
        classNames={{ body: "drawer-sidebar" }}
      >
        <div onClickCapture={(event) => (event.target as HTMLElement).closest("a") !== null && setMenuOpen(false)}>
          <Sidebar connection={connection} onHelp={() => setHelpOpen(true)} />
        </div>
      </Drawer>
      <main id="main" ref={main} tabIndex={-1} className="main">
        <Outlet />
      </main>
      <Shortcuts isHelpOpen={isHelpOpen} setHelpOpen={setHelpOpen} />
    </div>
  );
}

function Brand() {
  return (
    <Link to="/" className="brand">
      <img src="/icon.svg" width={28} height={28} alt="" />
      <span>esteira</span>
    </Link>
  );
}

function Sidebar({ connection, onHelp }: { readonly connection: Connection; readonly onHelp: () => void }) {
  const { t } = useLanguage();
  const session = useQuery(queries.session());
  const overview = useQuery(queries.overview());
  return (
    <div className="sidebar-inner">
      <Brand />
      {session.data !== undefined && (
        <p className="sidebar-project">
          <span className="hidden-text">{t("shell.project")} </span>
          {session.data.project}
        </p>
      )}
      <nav aria-label={t("shell.navigation")}>
        {NAVIGATION.map((group) => (
          <div key={group.label ?? "first"} className="nav-group">
            {group.label !== undefined && <p className="nav-group-label">{t(group.label)}</p>}
            <ul>
              {group.items.map((item) => (
                <li key={item.to}>
                  <Link
                    to={item.to}
                    className="nav-link"
                    activeOptions={{ exact: item.to === "/" }}
                    activeProps={{ "aria-current": "page" }}
                  >
                    <Icon name={item.icon} />
                    {t(item.label)}
                    <NavCount to={item.to} overview={overview.data} />
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        ))}
      </nav>
      <div className="sidebar-foot">
        <ConnectionMark connection={connection} />
        <div className="sidebar-tools">
          <LanguageSwitch />
          <ColorSwitch />
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t("shell.shortcuts")}
            title={t("shell.shortcuts")}
            onClick={onHelp}
          >
            <Icon name="keyboard" />
          </ActionIcon>
        </div>
        <SignIn session={session.data} error={session.error} />
      </div>
    </div>
  );
}

/** How many things wait for a person. */
function NavCount({ to, overview }: { readonly to: string; readonly overview: Overview | undefined }) {
  const { t } = useLanguage();
  if (overview === undefined) return null;
  const counts: Readonly<Record<string, number>> = {
    "/": overview.failedRuns.length,
    "/alerts": overview.openAlertCount,
    "/approvals": overview.pendingApprovalCount,
  };
  const texts = { "/": "nav.failedRuns", "/alerts": "nav.openAlerts", "/approvals": "nav.pendingApprovals" } as const;
  const count = counts[to] ?? 0;
  if (count === 0) return null;
  return (
    <span
      className={`nav-count ${to === "/approvals" ? "tone-waiting" : "tone-bad"}`}
      data-figure={texts[to as keyof typeof texts]}
      data-value={count}
    >
      <span aria-hidden="true">{count}</span>
      <span className="hidden-text">{t(texts[to as keyof typeof texts], { count })}</span>
    </span>
  );
}

function ConnectionMark({ connection }: { readonly connection: Connection }) {
  const { t } = useLanguage();
  const text = connection === "live" ? t("shell.live") : t("shell.connecting");
  return (
    <p className={`connection connection-${connection}`} role="status">
      <span className="connection-dot" aria-hidden="true" />
      {text}
    </p>
  );
}

function LanguageSwitch() {
  const { t, language, languages, setLanguage } = useLanguage();
  return (
    <div className="language-switch" role="group" aria-label={t("shell.language")}>
      {languages.map((each) => (
        <button
          key={each}
          type="button"
          lang={each}
          aria-pressed={each === language}
          aria-label={`${each.slice(0, 2).toUpperCase()}: ${LANGUAGE_NAMES[each]}`}
          title={LANGUAGE_NAMES[each]}
          onClick={() => setLanguage(each)}
        >
          {each.slice(0, 2).toUpperCase()}
        </button>
      ))}
    </div>
  );
}

function ColorSwitch() {
  const { t } = useLanguage();
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme("light");
  const label = scheme === "dark" ? t("shell.light") : t("shell.dark");
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      aria-label={label}
      title={label}
      onClick={() => setColorScheme(scheme === "dark" ? "light" : "dark")}
    >
      <Icon name={scheme === "dark" ? "sun" : "moon"} />
    </ActionIcon>
  );
}

function useChanges(): Connection {
  const client = useQueryClient();
  const [connection, setConnection] = useState<Connection>("connecting");
  useEffect(() => followChanges(client, setConnection), [client]);
  return connection;
}

function useProjectLanguage(): void {
  const { suggestLanguage } = useLanguage();
  const language = useQuery(queries.session()).data?.language;
  useEffect(() => {
    if (language !== undefined) suggestLanguage(language);
  }, [language, suggestLanguage]);
}

/** After going to another page the focus is at its start, as after a full load; not on the first page. */
function useMainFocus() {
  const main = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const before = useRef(path);
  useEffect(() => {
    if (before.current !== path) main.current?.focus({ preventScroll: true });
    before.current = path;
  }, [path]);
  return main;
}
