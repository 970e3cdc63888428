import { Icon } from "../icon.tsx";
import { Panel } from "../page.tsx";
import { Markdown } from "../markdown.tsx";
import { ActionButton } from "./action-button.tsx";
import { useTrackingText } from "./text.ts";

interface TagsPanelProps {
  readonly tags: readonly (readonly [string, string])[];
  readonly set: (key: string, value: string) => Promise<unknown>;
  readonly remove: (key: string) => Promise<unknown>;
}

/** Tags with what changes them; those that esteira wrote are facts and are shown without. */
export function TagsPanel({ tags, set, remove }: TagsPanelProps) {
  const { t } = useTrackingText();
  return (
    <Panel title={t("tags.title")} icon="features" actions={<SetTag set={set} />}>
      {tags.length === 0 ? (
        <p className="muted">{t("tags.none")}</p>
      ) : (
        <table className="key-table">
          <tbody>
            {tags.map(([key, value]) => (
              <tr key={key}>
                <th scope="row">{key}</th>
                <td>{value}</td>
                <td className="tag-actions">
                  {!key.startsWith("esteira.") && (
                    <>
                      <SetTag set={set} tag={[key, value]} />
                      <ActionButton
                        label={t("tags.delete")}
                        icon="cross"
                        isSmall
                        isDanger
                        title={t("tags.delete.title", { key })}
                        run={() => remove(key)}
                      />
                    </>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function SetTag({ set, tag }: { readonly set: TagsPanelProps["set"]; readonly tag?: readonly [string, string] }) {
  const { t } = useTrackingText();
  const value = { name: "value", label: t("tags.value"), isOptional: true, value: tag?.[1] ?? "" };
  return (
    <ActionButton
      label={tag === undefined ? t("tags.add") : t("action.edit")}
      icon={tag === undefined ? "features" : "code"}
      isSmall
      title={tag === undefined ? t("tags.add") : t("tags.edit.title", { key: tag[0] })}
      fields={tag === undefined ? [{ name: "key", label: t("tags.key") }, value] : [value]}
      run={(values) => set(tag?.[0] ?? values["key"] ?? "", values["value"] ?? "")}
    />
  );
}

/** A description in Markdown, and what changes it. */
export function DescriptionPanel({
  text,
  save,
}: {
  readonly text: string;
  readonly save: (text: string) => Promise<unknown>;
}) {
  const { t } = useTrackingText();
  return (
    <Panel
      title={t("description.title")}
      icon="report"
      actions={
        <ActionButton
          label={t("action.edit")}
          icon="code"
          isSmall
          title={t("description.title")}
          text={<span className="muted">{t("description.markdown")}</span>}
          fields={[{ name: "text", label: t("description.title"), value: text, isOptional: true, isLong: true }]}
          run={(values) => save(values["text"] ?? "")}
        />
      }
    >
      {text.trim() === "" ? <p className="muted">{t("description.none")}</p> : <Markdown source={text} />}
    </Panel>
  );
}

interface SearchBoxProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

/** A box that narrows a list. */
export function SearchBox({ label, value, onChange }: SearchBoxProps) {
  return (
    <span className="search-box">
      <Icon name="search" size={14} />
      <input
        className="field"
        type="search"
        aria-label={label}
        placeholder={label}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </span>
  );
}
