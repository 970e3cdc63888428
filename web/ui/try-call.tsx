import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { message, type MessageParams } from "../messages/messages.ts";
import { tryCallMessages } from "../messages/try-call.ts";
import { readTriedRow, toField, type TriedColumn } from "../models/tried-row.ts";
import { address } from "../routes/address.ts";
import { type EndpointForm, readEndpointForm, type TriedAnswer, tryEndpoint } from "../services/try-endpoint.ts";
import { CommandButton } from "./command-button.tsx";
import { useLanguage } from "./language.tsx";
import { Panel, Read } from "./page.tsx";

type Key = keyof (typeof tryCallMessages)["en"];

function useWords(): (key: Key, params?: MessageParams) => string {
  const { language } = useLanguage();
  return (key, params) => message({ language, messages: tryCallMessages[language] }, key, params);
}

/** A form with a field for each column of an endpoint's requests; it asks for one row and shows the answer. */
export function TryCall({ path }: { readonly path: string }) {
  const say = useWords();
  const form = useQuery({
    queryKey: ["endpoint-form", path],
    queryFn: ({ signal }) => readEndpointForm(path, signal),
    staleTime: Infinity,
  });
  return (
    <Panel title={say("title")} icon="endpoint">
      <p className="muted">{say("intro")}</p>
      <Read result={form}>{(data) => <Fields path={path} form={data} />}</Read>
    </Panel>
  );
}

function Fields({ path, form }: { readonly path: string; readonly form: EndpointForm }) {
  const say = useWords();
  const [fields, setFields] = useState<Readonly<Record<string, string>>>(() =>
    Object.fromEntries(form.columns.map(({ name }) => [name, toField(form.example[name])])),
  );
  const [id, setId] = useState("");
  const [at, setAt] = useState(form.at ?? "");
  const [answer, setAnswer] = useState<TriedAnswer>();
  const { features, problems } = readTriedRow(form.columns, fields);
  return (
    <div className="form">
      <div
        className="columns"
        style={{
          display: "grid",
          gridTemplateColumns: "repeat(auto-fill, minmax(220px, 1fr))",
          gap: 12,
          alignItems: "start",
        }}
      >
        {form.columns.map((column) => (
          <Field
            key={column.name}
            column={column}
            value={fields[column.name] ?? ""}
            change={(value) => setFields({ ...fields, [column.name]: value })}
          />
        ))}
        <label className="label">
          {say("id")}
          <input className="field" value={id} autoComplete="off" onChange={(event) => setId(event.target.value)} />
        </label>
        <label className="label">
          {say("at")}
          <input className="field" value={at} autoComplete="off" onChange={(event) => setAt(event.target.value)} />
        </label>
      </div>
      {problems.map(({ column, kind, found }) => (
        <p key={column} role="alert">
          {say(kind, { column, found })}
        </p>
      ))}
      <div className="form-actions">
        <CommandButton
          label={say("ask")}
          icon="endpoint"
          action="predict"
          variant="filled"
          done={say("asked")}
          disabled={problems.length > 0}
          run={() => tryEndpoint(path, { features, ...(id === "" ? {} : { id }), ...(at === "" ? {} : { at }) })}
          onDone={setAnswer}
        />
      </div>
      {answer !== undefined && <Answer answer={answer} />}
    </div>
  );
}

interface FieldProps {
  readonly column: TriedColumn;
  readonly value: string;
  readonly change: (value: string) => void;
}

function Field({ column, value, change }: FieldProps) {
  const say = useWords();
  const { name, type, isRequired, isNullable } = column;
  const note = isRequired ? (isNullable ? say("empty") : undefined) : say("optional");
  return (
    <label className="label">
      <span>
        <span className="mono">{name}</span> <span className="muted">{type}</span>
      </span>
      {type === "boolean" ? (
        <select className="field" value={value} onChange={(event) => change(event.target.value)}>
          {["", "true", "false"].map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      ) : (
        <input
          className="field"
          value={value}
          autoComplete="off"
          inputMode={type === "string" ? "text" : "decimal"}
          onChange={(event) => change(event.target.value)}
        />
      )}
      {note !== undefined && <span className="muted">{note}</span>}
    </label>
  );
}

function Answer({ answer }: { readonly answer: TriedAnswer }) {
  const say = useWords();
  const [first = {}] = answer.predictions;
  const { id, ...values } = first;
  const version = answer.candidate?.modelVersion ?? answer.modelVersion;
  return (
    <div role="status">
      <h3>{say("answer")}</h3>
      <pre className="code-block" tabIndex={0}>
        {JSON.stringify(values, null, 2)}
      </pre>
      <p>
        {say(answer.candidate === undefined ? "version" : "candidate", { version })}{" "}
        {typeof id === "string" && <Link to={address.prediction(id)}>{say("prediction")}</Link>}
      </p>
    </div>
  );
}
