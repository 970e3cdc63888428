import { Link } from "@tanstack/react-router";
import { useLanguage } from "../ui/language.tsx";
import { Empty, Page } from "../ui/page.tsx";

export function NotFoundPage() {
  const { t } = useLanguage();
  return (
    <Page title={t("notFound.title")}>
      <Empty icon="search" title={t("notFound.title")} text={t("notFound.text")}>
        <Link to="/">{t("notFound.home")}</Link>
      </Empty>
    </Page>
  );
}
